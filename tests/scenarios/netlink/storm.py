#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""R10: a storm of errors. Totals are exact, messages and memory bounded, healthy
I/O goes on, and listeners that are slow, dead or killed cost nothing."""

import os
import signal
import subprocess
import time

from client import Family, Listener, check, check_is, main, map_of

SET = {'name': 'set'}
TOOL = '/src/build/tests/tools/read-storm'
SECONDS = 8


def storm(first, blocks, threads, seconds=SECONDS):
    return subprocess.Popen([TOOL, '/dev/mapper/set', str(first), str(blocks), str(seconds),
                             str(threads)], stdout=subprocess.PIPE, text=True)


def result(process):
    words = process.communicate()[0].split()
    return int(words[1]), int(words[3]), float(words[5])


def memory_kib():
    with open('/proc/meminfo', encoding='ascii') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('Slab:'))


def errors(nl):
    return sum(e['ios'] for m in nl.dump('stats-get', SET) for e in m.get('errors', []))


def killed_listener():
    """A process that reads events until it is killed."""
    child = os.fork()
    if not child:
        listener = Listener()
        while True:
            listener.take()
            time.sleep(0.01)
    return child


def do_storm(bad, blocks):
    """Blocks from bad on fail, those before do not."""
    nl, bad, blocks = Family(), int(bad), int(blocks)
    nl.do('policy-set', {**SET, 'policy': {'ioerr': 'pass'}})
    half = bad // 2
    # The same number of readers, of healthy blocks all.
    others = storm(half, half, 4)
    calm, failed, took = result(storm(0, half, 2))
    result(others)
    check_is('healthy blocks are read without errors', failed, 0)
    calm /= took

    listener, silent = Listener(), Listener()
    child = killed_listener()
    time.sleep(1)
    listener.forget()
    before = errors(nl)
    memory, most = memory_kib(), 0
    bad_readers, good_readers = storm(bad, blocks, 4), storm(0, half, 2)
    for step in range(SECONDS * 5):
        time.sleep(0.2)
        listener.take()
        most = max(most, memory_kib())
        if step == SECONDS * 2:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    storm_ok, storm_failed, storm_took = result(bad_readers)
    busy, failed, took = result(good_readers)
    busy /= took
    time.sleep(0.5)
    found = listener.of('read-error')
    print(f'# {storm_failed / storm_took:.0f} errors a second, {len(found)} messages; healthy '
          f'reads a second: {calm:.0f} in the calm, {busy:.0f} in the storm')
    check_is('each read of a bad block fails, of a good one none', (storm_ok, failed), (0, 0))
    check_is('the statistics count each', errors(nl) - before, storm_failed)
    check_is('the listener lost none', listener.overruns, 0)
    check_is('so do the events', sum(e['occurrences'] for e in found), storm_failed)
    check_is('and their total', found[-1]['total'] - found[0]['total'] + found[0]['occurrences']
             if found else None, storm_failed)
    numbers = [e['seq'] for e in listener.events]
    check('they are numbered without gaps', numbers == list(range(numbers[0], numbers[0] +
                                                                  len(numbers))), numbers)
    check('at most ten messages a second', len(found) <= storm_took * 10 + 5, len(found))
    check('little memory', most - memory < 16384, memory, most)
    # Measured one after the other, on a machine that may do other things meanwhile.
    check('healthy I/O goes on', busy >= calm * 0.2, calm, busy)
    check_is('nothing is in the map', map_of(), {})
    silent.take()
    check('who read nothing sees what he has, or that there was more', silent.events,
          silent.overruns)
    check('the family answers', nl.do('device-get', SET)['name'] == 'set')


def do_slow_listener():
    """A listener with the smallest buffer, which reads nothing."""
    nl = Family()
    nl.do('policy-set', {**SET, 'policy': {'ioerr': 'pass'}})
    slow = Family()
    slow.sock.setsockopt(1, 8, 1)  # SO_RCVBUF
    listener, good = Listener(slow), Listener()
    for i in range(40):
        nl.do('policy-set', {**SET, 'policy': {'retries': i % 10}})
        good.take()
    time.sleep(0.5)
    found = good.of('policy', reason='set')
    # Each is an event of its own, and only so many of them wait to be sent.
    check_is('the one that reads gets all that was not dropped',
             len(found) + (found[-1]['event-dropped'] if found else 0), 40)
    listener.take()
    check('the other one is told that it lost some', listener.overruns > 0, len(listener.events))
    nl.do('policy-set', {**SET, 'policy': {'retries': 0}})
    time.sleep(0.5)
    events = listener.take()
    check('and sees by the number how many', events and events[-1]['seq'] - events[0]['seq'] + 1
          > len(events), [e['seq'] for e in events])


if __name__ == '__main__':
    main(globals())
