#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The statistics of the family, against I/O and errors whose number is known."""

import errno
import time

from client import (Family, Listener, check, check_is, data_disk, main, map_of, message,
                    set_io, wait_until)

SET = {'name': 'set'}


class Stats:
    """What was counted since it was made; "io" is {(direction, path): (ios, sectors)}."""

    def __init__(self, family):
        self.family = family
        self.before = self.now()

    def now(self):
        found = {'io': {}, 'errors': {}, 'latency': {}}
        for m in self.family.dump('stats-get', SET):
            for io in m.get('io', []):
                found['io'][io['direction'], io['path']] = (io['ios'], io['sectors'])
            for e in m.get('errors', []):
                found['errors'][m['spare'], e['direction'], e['class']] = e['ios']
            for lat in m.get('latency', []):
                found['latency'][m['spare'], lat['direction']] = lat['bucket']
        return found

    def io(self):
        """What grew."""
        now = self.now()['io']
        grown = {}
        for key, (ios, sectors) in now.items():
            before = self.before['io'].get(key, (0, 0))
            if ios != before[0] or sectors != before[1]:
                grown[key] = (ios - before[0], sectors - before[1])
        return grown

    def errors(self):
        now = self.now()['errors']
        return {key: ios - self.before['errors'].get(key, 0) for key, ios in now.items()
                if ios != self.before['errors'].get(key, 0)}

    def latency(self, member, direction):
        key = member, direction
        now = self.now()['latency'].get(key, [0] * 32)
        before = self.before['latency'].get(key, [0] * 32)
        return [n - b for n, b in zip(now, before)]


def do_io():
    nl, disk = Family(), data_disk()
    stats = Stats(nl)
    check_is('one message for each member', [m['spare'] for m in nl.dump('stats-get', SET)], [0, 1])
    for i in range(20):
        set_io(i * 8, 8, write=1)
    for i in range(30):
        set_io(i, 1)
    check_is('direct I/O and its sectors', stats.io(),
             {('write', 'direct'): (20, 160), ('read', 'direct'): (30, 30)})
    nl.do('relocate', {**SET, 'first': 10, 'count': 5})
    stats = Stats(nl)
    for i in range(10):
        set_io(80 + 8 * (i % 5), 8)
    for i in range(3):
        set_io(83, 2, write=2)
    check_is('remapped I/O', stats.io(), {('read', 'remapped'): (10, 80),
                                          ('write', 'remapped'): (3, 6)})
    disk.bad(400, 1)
    stats = Stats(nl)
    check_is('a read of a bad sector fails', set_io(400, 1) in (errno.EIO, errno.ENODATA), True)
    check('its error is counted', stats.errors().get((0, 'read', 'ioerr'), 0) >= 1, stats.errors())
    check_is('and of no other kind', {key[1:] for key in stats.errors()}, {('read', 'ioerr')})
    stats = Stats(nl)
    for _ in range(7):
        set_io(400, 1)
    check_is('reads of lost sectors', stats.io(), {('read', 'unreadable'): (7, 7)})
    check_is('are no errors of the disk', stats.errors(), {})
    disk.bad(800, 8)
    stats = Stats(nl)
    check_is('a write of a bad block succeeds', set_io(800, 8, write=3), 0)
    check('its error is counted, and whose', stats.errors().get((0, 'write', 'ioerr'), 0) >= 1 and
          not [key for key in stats.errors() if key[0] != 0], stats.errors())
    check_is('it was direct once', stats.io().get(('write', 'direct')), (1, 8))
    # Text and netlink agree.
    lines = [line.split() for line in message('set', 'stats').splitlines()]
    text = {(w[1], w[2]): (int(w[3]), int(w[4])) for w in lines if w[0] == 'io'}
    now = stats.now()
    check_is('the stats message tells the same', text, {**text, **now['io']})
    text = {(int(w[1]), w[2], w[3]): int(w[4]) for w in lines if w[0] == 'errors'}
    check_is('of errors too', text, now['errors'])
    check_is('without sampling there is no histogram', [sum(b) for b in now['latency'].values()
                                                        if sum(b)], [])


def do_passed():
    """Errors that are passed up are counted one by one."""
    nl, disk = Family(), data_disk()
    nl.do('policy-set', {**SET, 'policy': {'ioerr': 'pass'}})
    disk.bad(400, 1)
    stats, listener = Stats(nl), Listener()
    begun = time.monotonic()
    for _ in range(500):
        set_io(400, 1)
    check_is('500 errors are counted as 500', stats.errors(), {(0, 'read', 'ioerr'): 500})
    check_is('of 500 direct reads', stats.io(), {('read', 'direct'): (500, 500)})
    check_is('and nothing is in the map', map_of(), {})
    found = wait_until(3, lambda: (events := listener.of('read-error')) and
                       sum(e['occurrences'] for e in events) >= 500 and events) or []
    check_is('events tell of each', sum(e['occurrences'] for e in found), 500)
    seconds = time.monotonic() - begun
    check('at most ten times a second', 1 <= len(found) <= 10 * seconds + 1,
          (len(found), seconds))


def do_latency():
    nl = Family()
    nl.do('policy-set', {**SET, 'policy': {'sample': 1}})
    nl.do('relocate', {**SET, 'first': 10, 'count': 1})
    stats = Stats(nl)
    for i in range(50):
        set_io(i * 8 + 160, 8)
    for i in range(20):
        set_io(i * 8 + 160, 8, write=1)
    for _ in range(15):
        set_io(80, 8)
    check_is('each read is in the histogram', sum(stats.latency(0, 'read')), 50)
    check_is('and each write', sum(stats.latency(0, 'write')), 20)
    check_is('of a spare too', sum(stats.latency(1, 'read')), 15)
    check_is('there are 32 buckets', {len(b) for b in stats.now()['latency'].values()}, {32})
    nl.do('policy-set', {**SET, 'policy': {'sample': 10}})
    stats = Stats(nl)
    for i in range(400):
        set_io(i * 8, 8)
    found = sum(stats.latency(0, 'read'))
    check('of a tenth about a tenth', 36 <= found <= 44, found)


def do_latency_slow():
    """The data device takes 40 ms."""
    nl = Family()
    nl.do('policy-set', {**SET, 'policy': {'sample': 1}})
    stats = Stats(nl)
    for i in range(10):
        set_io(i * 8, 8)
    found = stats.latency(0, 'read')
    check_is('all are measured', sum(found), 10)
    check_is('40 ms are in the bucket of 16 ms or above', sum(found[14:]), 10)
    check_is('and below half a second', sum(found[19:]), 0)


if __name__ == '__main__':
    main(globals())
