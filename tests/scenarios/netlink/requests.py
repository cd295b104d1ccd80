#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every request of the family, driven by the kernel's own client, against what
dmsetup says and the faults that were made."""

import errno
import os
import time

from client import (Disk, Family, check, check_has, check_is, check_refused, data_disk,
                    dev_of, main, map_of, message, run, sectors_tool, set_io, status,
                    wait_until)

SET = {'name': 'set'}
ABSENT = [errno.ENODEV, errno.ENOENT, errno.ENXIO]


def device(family):
    return family.do('device-get', SET)


# --- What there is -----------------------------------------------------------


def do_devices():
    """Two sets, set and other."""
    nl = Family()
    found, stat = device(nl), status()
    table = run('dmsetup', 'table', 'set').split()
    major, minor = dev_of('/dev/mapper/set')
    data_major, data_minor = dev_of(os.environ['data'])
    check_has('device-get tells what dmsetup tells', found, {
        'name': 'set', 'uuid': table[table.index('set_uuid') + 1], 'major': major,
        'minor': minor, 'mode': stat['mode'], 'generation': stat['generation'],
        'block-sectors': stat['block'], 'sectors': int(table[1]),
        'data-major': data_major, 'data-minor': data_minor,
        'data-offset': int(os.environ['off']), 'slots-used': stat['used'],
        'slots': stat['slots'], 'remapped': stat['remapped'], 'lost': stat['lost'],
        'records-used': stat['records-used'], 'records': stat['records'],
        'breaker': 'closed', 'degraded': None, 'header-out': None, 'event-dropped': 0})
    check('a session has a number', found['session'], found)
    check_is('the scrub is idle', found.get('scrub', {}).get('state'), 'idle')
    spec = [name for name in nl.attr_sets['counters'] if name != 'pad']
    check_is('all counters are told', sorted(found['counters']), sorted(spec))
    by_uuid = nl.do('device-get', {'uuid': found['uuid']})
    check_is('a set is found by its UUID', by_uuid['name'], 'set')
    check_is('and by both', nl.do('device-get', {**SET, 'uuid': found['uuid']})['name'], 'set')
    other = nl.do('device-get', {'name': 'other'})
    check_is('a dump tells of all sets', sorted(d['name'] for d in nl.dump('device-get')),
             ['other', 'set'])
    check_is('and of one if asked', [d['name'] for d in nl.dump('device-get', SET)], ['set'])
    check('each activation has its own number', found['session'] != other['session'])
    check_refused(nl, 'no set has that name', 'device-get', {'name': 'none'}, ABSENT, '.name')
    check_refused(nl, 'nor that UUID', 'device-get',
                  {'uuid': '00000000-0000-4000-8000-000000000000'}, ABSENT, '.uuid')
    check_refused(nl, 'what is no UUID is no UUID of a set', 'device-get', {'uuid': 'nonsense'},
                  [*ABSENT, errno.EINVAL], '.uuid')
    check_refused(nl, 'name and UUID of different sets', 'device-get',
                  {**SET, 'uuid': other['uuid']}, [*ABSENT, errno.EINVAL])
    check_refused(nl, 'a request has to name a set', 'device-get', {}, [errno.EINVAL])
    check_refused(nl, 'a dump of a set that is not there', 'device-get', {'name': 'none'},
                  ABSENT, dump=True)


def do_devices_change():
    nl, disk = Family(), data_disk()
    before = device(nl)
    disk.bad(80, 24)
    for first in (80, 88, 96):
        set_io(first, 8, write=1)
    disk.bad(160, 1)
    set_io(160)
    found, stat = device(nl), status()
    check_has('what changed is told', found, {
        'remapped': 3, 'lost': 1, 'slots-used': 3, 'generation': stat['generation'],
        'records-used': stat['records-used']})
    check('the generation grew', found['generation'] > before['generation'])
    check('events were counted', found['event-seq'] > before['event-seq'] or
          wait_until(2, lambda: device(nl)['event-seq'] > before['event-seq']))
    counters = device(nl)['counters']
    expected = {key: value for key, value in status()['counters'].items() if key in counters}
    check_is('the counters are those of the status line', counters, expected)
    run('bash', '-c', 'table=$(dmsetup table set); dmsetup remove --retry set; '
        'dmsetup create set --table "$table"')
    again = device(nl)
    check('a new activation has another number', again['session'] != found['session'])
    check_has('and the map is kept', again, {'remapped': 3, 'lost': 1, 'slots-used': 3})
    check_is('counters begin anew', again['counters']['relocated'], 0)
    run('dmsetup', 'remove', '--retry', 'set')
    check_refused(nl, 'a set that was removed is not found', 'device-get', SET, ABSENT, '.name')
    check_is('nor told by a dump', nl.dump('device-get'), [])


def spares_as_status(nl):
    found = {}
    for s in nl.dump('spare-get', SET):
        dev = '-'
        if 'spare-major' in s:
            dev = f'{s["spare-major"]}:{s["spare-minor"]}'
        found[s['spare']] = (dev, s['spare-state'], s['slots-used'], s['slots-bad'], s['slots'])
    return found


def do_spares():
    """Three spares, of tiers 0, 0 and 1; blocks have moved to them."""
    nl = Family()
    check_is('spare-get tells what dmsetup tells', spares_as_status(nl), status()['spares'])
    found = {s['spare']: s for s in nl.dump('spare-get', SET)}
    check_is('with tiers', [found[n]['tier'] for n in (1, 2, 3)], [0, 0, 1])
    check_is('and UUIDs of their own', len({s['spare-uuid'] for s in found.values()}), 3)
    check('of what was moved', sum(s['slots-used'] for s in found.values()) > 0, found)
    check_is('all are of the set', {s['name'] for s in found.values()}, {'set'})


def do_spares_failed():
    nl = Family()
    found = spares_as_status(nl)
    check_is('a failed spare is told of as dmsetup does', found, status()['spares'])
    check_is('it is out', found[1][1], 'out')


def do_spares_missing():
    nl = Family()
    found = {s['spare']: s for s in nl.dump('spare-get', SET)}
    check_is('a spare that is not there is told of', found[1].get('spare-state'), 'missing')
    check('without a number of a device', 'spare-major' not in found[1], found[1])
    check_is('the set says that it is degraded', device(nl).get('degraded'), True)


# --- The map -----------------------------------------------------------------


def entries(nl, **ask):
    return {e['block']: (e.get('spare', 0), e.get('slot', 0), e.get('invalid', 0))
            for e in nl.dump('map-get', {**SET, **ask})}


def lost_sectors(nl, **ask):
    found, last = [], -1
    for run_ in nl.dump('unreadable-get', {**SET, **ask}):
        if run_['sector'] <= last:
            check('runs ascend and do not overlap', False, run_)
        found += range(run_['sector'], run_['sector'] + run_['sector-count'])
        last = found[-1]
    return found


def do_map():
    nl, disk = Family(), data_disk()
    set_io(0, 1600, write=3)
    disk.bad(80, 24)
    for block in (10, 11, 12):
        set_io(block * 8, 8, write=4)
    for first, count in ((203, 2), (206, 4), (400, 8), (408, 1)):
        disk.bad(first, count)
        for sector in range(first, first + count):
            set_io(sector, 1)
    truth = map_of()
    check_is('map-get tells what the map message tells', entries(nl), truth)
    blocks = [e['block'] for e in nl.dump('map-get', SET)]
    check('by ascending block', len(blocks) >= 7 and blocks == sorted(blocks), blocks)
    check('nothing changed meanwhile', not nl.flags & 0x10, nl.flags)
    check('a slot is told only of what lives on a spare',
          all(('slot' in e) == (e.get('spare', 0) != 0) for e in nl.dump('map-get', SET)))
    check_is('a part of it', entries(nl, first=11, count=16),
             {b: e for b, e in truth.items() if 11 <= b < 27})
    check_is('from a block on', entries(nl, first=26), {b: e for b, e in truth.items() if b >= 26})
    check_is('an empty part', entries(nl, first=1000), {})
    truth = [b * 8 + i for b, (_, _, mask) in sorted(truth.items()) for i in range(8)
             if mask >> i & 1]
    check('sectors were lost', {203, 204, 206, 209, 400, 407, 408} <= set(truth), truth)
    check_is('unreadable-get tells exactly the sectors without content',
             lost_sectors(nl), truth)
    check_is('in as few runs as there are', len(nl.dump('unreadable-get', SET)),
             sum(1 for s in truth if s - 1 not in truth))
    check_is('a part of them', lost_sectors(nl, first=50, count=1),
             [s for s in truth if 400 <= s < 408])
    check_refused(nl, 'no blocks are no range', 'map-get', {**SET, 'count': 0},
                  [errno.ERANGE, errno.EINVAL], '.count', dump=True)


def do_all_maps():
    """Dumps without a name are of all sets."""
    nl = Family()
    for op in ('map-get', 'spare-get', 'stats-get', 'policy-get', 'scrub-get', 'unreadable-get'):
        check_is(f'{op} of all sets', {m['name'] for m in nl.dump(op)}, {'set', 'other'})
        check_is(f'{op} of one', {m['name'] for m in nl.dump(op, {'name': 'other'})}, {'other'})


# --- Policy ------------------------------------------------------------------

DEFAULTS = {'heal': 'in-place', 'unreadable': 'fail', 'ioerr': 'probe', 'retries': 0,
            'slow-ms': 0, 'sample': 0, 'breaker-streak': 16, 'breaker-ms': 1000,
            'relocate-rate': 0, 'scrub-rate': 10240, 'spare-low': 10, 'lifetime': 0}
OTHERS = {'heal': 'spare', 'unreadable': 'retry', 'ioerr': 'pass', 'retries': 3,
          'slow-ms': 600000, 'sample': 65536, 'breaker-streak': 4096, 'breaker-ms': 100,
          'relocate-rate': 4000000000, 'scrub-rate': 64, 'spare-low': 100, 'lifetime': 31536000}


def policy(nl):
    return nl.do('policy-get', SET)['policy']


def policy_set(nl, **values):
    values = {key.replace('_', '-'): value for key, value in values.items()}
    return nl.do('policy-set', {**SET, 'policy': values})['policy']


def do_policy():
    nl = Family()
    first = policy(nl)
    check_has('the defaults are in force', first, DEFAULTS)
    check_is('a dump tells the same', nl.dump('policy-get', SET)[0]['policy'], first)
    answer = policy_set(nl, retries=2)
    check_is('what is absent stays', answer, {**first, 'retries': 2,
                                              'version': first['version'] + 1})
    check_is('what was answered is in force', policy(nl), answer)
    for key, value in OTHERS.items():
        answer = policy_set(nl, **{key: value})
        check_has(f'{key} can be set', policy(nl), {key: value})
    check_has('all of them are', policy(nl), OTHERS)
    words = message('set', 'policy').split()
    text = dict(zip(words[::2], words[1::2]))
    check_has('dmsetup shows them', text, {'heal': 'spare', 'unreadable': 'retry', 'retries': '3'})
    answer = policy_set(nl, version=answer['version'] + 1000, heal='in-place')
    check_is('a version may jump', answer['version'], policy(nl)['version'])
    for version in (answer['version'], answer['version'] - 1, 1):
        check_refused(nl, f'an old version is refused: {answer["version"] - version} behind',
                      'policy-set', {**SET, 'policy': {'version': version, 'retries': 1}},
                      [errno.ESTALE, errno.EINVAL, errno.ERANGE], '.policy.version')
    bad = {'heal': 2, 'unreadable': 2, 'ioerr': 2, 'retries': 11, 'slow-ms': 600001,
           'sample': 65537, 'breaker-streak': 0, 'breaker-ms': 99, 'scrub-rate': 63,
           'spare-low': 101, 'lifetime': 31536001}
    for key, value in bad.items():
        check_refused(nl, f'{key} of {value} is refused by its name', 'policy-set',
                      {**SET, 'policy': {'retries': 5, key: value}},
                      [errno.ERANGE, errno.EINVAL], f'.policy.{key}')
    check_refused(nl, 'a streak of 4097 too', 'policy-set',
                  {**SET, 'policy': {'breaker-streak': 4097}}, [errno.ERANGE, errno.EINVAL],
                  '.policy.breaker-streak')
    check_refused(nl, 'a policy has to be given', 'policy-set', SET, [errno.EINVAL], 'policy')
    check_refused(nl, 'version 0 is refused', 'policy-set',
                  {**SET, 'policy': {'version': 0}}, [errno.ESTALE], '.policy.version')
    check_refused(nl, 'nor can one be the last of all', 'policy-set',
                  {**SET, 'policy': {'version': 2 ** 64 - 1}}, [errno.ERANGE], '.policy.version')
    check_is('nothing of what was refused came into force', policy(nl), answer)
    for ms in (101, 250, 333):
        answer = policy_set(nl, **{'breaker-ms': ms})
        check_is(f'{ms} ms are read back as they were set',
                 [answer['breaker-ms'], policy(nl)['breaker-ms']], [ms, ms])
    run('bash', '-c', 'table=$(dmsetup table set); dmsetup remove --retry set; '
        'dmsetup create set --table "$table"')
    check_is('a policy survives a restart, with its version', policy(nl), answer)


def do_policy_expires():
    nl = Family()
    answer = policy_set(nl, unreadable='retry', retries=4, sample=7, lifetime=2)
    check_has('a risky policy is in force', policy(nl), {'unreadable': 'retry', 'retries': 4})
    check('it expires', wait_until(6, lambda: policy(nl)['retries'] == 0), policy(nl))
    now = policy(nl)
    check_has('risky settings are at their defaults, the others as they were', now,
              {'unreadable': 'fail', 'retries': 0, 'sample': 7})
    check('the version grew', now['version'] > answer['version'], now)
    policy_set(nl, unreadable='retry', retries=4, lifetime=2)
    time.sleep(1.2)
    policy_set(nl, retries=3, lifetime=3600)
    time.sleep(1.8)
    check_has('another policy in time keeps it', policy(nl), {'unreadable': 'retry', 'retries': 3})


def errors_of(nl, member):
    """All that a member has failed."""
    return sum(e['ios'] for stats in nl.dump('stats-get', SET) if stats['spare'] == member
               for e in stats.get('errors', []))


def do_policy_works():
    """What was set is done."""
    nl, disk = Family(), data_disk()
    set_io(0, 800, write=3)
    disk.bad(80, 1)
    set_io(80)
    disk.good(80, 1)
    policy_set(nl, heal='spare')
    set_io(80, 8, write=5)
    check('healing goes to a spare', map_of()[10][0] != 0, map_of())
    policy_set(nl, ioerr='pass')
    disk.bad(160, 1)
    check_is('an I/O error that is passed up is one', set_io(160), errno.EIO)
    check('and remembered as nothing', 20 not in map_of(), map_of())
    policy_set(nl, ioerr='probe', unreadable='retry')
    set_io(160)
    check('one that is probed is', 20 in map_of(), map_of())
    before = errors_of(nl, 0)
    for _ in range(3):
        set_io(160)
    check_is('what a retry finds bad again is counted', errors_of(nl, 0) - before, 3)
    disk.good(160, 1)
    check_is('a retry of what is lost reads it', set_io(160), 0)
    check('and it is believed again', 20 not in map_of(), map_of())


# --- Moving ------------------------------------------------------------------


def do_relocate():
    nl, disk = Family(), data_disk()
    end = device(nl)['sectors'] // 8
    sectors_tool('write', '/dev/mapper/set', 0, 1600, 1, '--size', 8)
    answer = nl.do('relocate', {**SET, 'first': 10, 'count': 5})
    check_has('relocate answers', answer, {'moved': 5, 'lost': 0, 'unchanged': 0, 'failed': 0,
                                           'error': None})
    check_is('blocks have moved', sorted(map_of()), [10, 11, 12, 13, 14])
    answer = nl.do('relocate', {**SET, 'first': 12, 'count': 5})
    check_has('what has moved is unchanged', answer, {'moved': 2, 'unchanged': 3})
    disk.bad(20 * 8 + 3, 1)
    disk.bad(21 * 8, 8)
    answer = nl.do('relocate', {**SET, 'first': 20, 'count': 3})
    check_is('what can not be read is lost', answer['moved'] + answer['lost'], 3)
    check_is('exactly that', [s['sector'] for s in nl.dump('unreadable-get', SET)],
             [163, 168])
    check_is('R1: all is read', sectors_tool('show', '/dev/mapper/set', 0, 160, '--size', 8),
             ['0-159:1'])
    for what, first, count, attrs in (
            ('behind the end', end, 1, ('.first', '.count')),
            ('over the end', end - 1, 2, ('.count', '.first')),
            ('that wraps', 2 ** 64 - 1, 2, ('.count', '.first')),
            ('of all', 0, 2 ** 64 - 1, ('.count', '.first'))):
        for op in ('relocate', 'release', 'scrub-start'):
            number, ack = nl.refused(op, {**SET, 'first': first, 'count': count})
            check(f'{op}: a range {what} is refused by its name', number in
                  (errno.EINVAL, errno.ERANGE) and ack.get('bad-attr') in attrs and
                  len(ack.get('msg', '')) > 8, number, ack)
    check_refused(nl, 'a range has to be given', 'relocate', SET, [errno.EINVAL])
    check_refused(nl, 'no blocks are no range', 'relocate', {**SET, 'first': 1, 'count': 0},
                  [errno.EINVAL, errno.ERANGE], '.count')
    check_is('nothing was changed by what was refused', len(map_of()), 10)


def do_release():
    nl, disk = Family(), data_disk()
    sectors_tool('write', '/dev/mapper/set', 0, 1600, 1, '--size', 8)
    nl.do('relocate', {**SET, 'first': 10, 'count': 5})
    disk.bad(30 * 8, 1)
    set_io(240)
    disk.bad(13 * 8, 8)
    answer = nl.do('release', {**SET, 'first': 8, 'count': 5})
    check_has('release answers', answer, {'moved': 3, 'unchanged': 2, 'failed': 0, 'error': None})
    answer = nl.do('release', {**SET, 'first': 13, 'count': 1})
    check_has('a block whose place is bad stays', answer, {'moved': 0, 'failed': 1})
    disk.good(30 * 8, 1)
    nl.do('release', {**SET, 'first': 30, 'count': 1})
    check_is('lost ones are tested again', sorted(map_of()), [13, 14])
    check_is('R1: all is read', sectors_tool('show', '/dev/mapper/set', 0, 1600, '--size', 8),
             ['0-1599:1'])


def do_relocate_full(slots):
    """A spare of few slots."""
    nl, slots = Family(), int(slots)
    number, answer = nl.refused('relocate', {**SET, 'first': 0, 'count': slots + 20})
    if number:
        check_is('without room nothing moves', (number, len(map_of())), (errno.ENOSPC, 0))
        nl.do('relocate', {**SET, 'first': 0, 'count': slots})
    else:
        check_is('what had room has moved, and why no more', (answer['moved'], answer['error']),
                 (slots, errno.ENOSPC))
    number, answer = nl.refused('relocate', {**SET, 'first': 1000, 'count': 2})
    check_is('no room is left', number or answer.get('error'), errno.ENOSPC)
    check_is('and nothing more moved', len(map_of()), slots)


def do_slow_only(first, count):
    """Blocks from first on read slowly."""
    nl, first, count = Family(), int(first), int(count)
    policy_set(nl, slow_ms=20)
    answer = nl.do('relocate', {**SET, 'first': 0, 'count': first - 64, 'slow-only': True})
    check_has('what reads well stays', answer, {'moved': 0, 'unchanged': first - 64})
    answer = nl.do('relocate', {**SET, 'first': first - 64, 'count': count + 128,
                                'slow-only': True})
    check('all that is slow moves', set(range(first, first + count)) <= set(map_of()),
          answer, sorted(map_of()))
    check('and little else', len(map_of()) <= count + 128, len(map_of()))
    check_is('R1: all is read', sectors_tool('show', '/dev/mapper/set', 0, (first + count + 64) * 8,
                                             '--size', 8),
             [f'0-{(first + count + 64) * 8 - 1}:1'])


# --- Scrub -------------------------------------------------------------------


def scrub(nl):
    return nl.do('scrub-get', SET)['scrub']


def read_errors(nl):
    return sum(e['ios'] for m in nl.dump('stats-get', SET) for e in m.get('errors', [])
               if e['direction'] == 'read')


def do_scrub():
    nl, disk = Family(), data_disk()
    blocks = device(nl)['sectors'] // 8
    for op in ('scrub-pause', 'scrub-resume', 'scrub-cancel'):
        number, ack = nl.refused(op, SET)
        check(f'{op} without a scrub is refused with a reason', number and
              len(ack.get('msg', '')) > 8, number, ack)
    policy_set(nl, scrub_rate=400)
    nl.do('scrub-start', SET)
    now = scrub(nl)
    check_has('a scrub of all begins', now, {'state': 'running', 'first': 0, 'end': blocks})
    check('and goes on', wait_until(10, lambda: scrub(nl)['position'] > now['position']))
    check('it tells when it began', abs(now['started'] - time.time()) < 30, now)
    number, ack = nl.refused('scrub-start', SET)
    check('another one meanwhile is refused', number == errno.EBUSY and ack.get('msg'), number, ack)
    nl.do('scrub-pause', SET)
    now = scrub(nl)
    check_is('it pauses', now['state'], 'paused')
    time.sleep(0.8)
    check_is('where it is', scrub(nl)['position'], now['position'])
    check_is('a dump and the set tell the same', (nl.dump('scrub-get', SET)[0]['scrub']['state'],
                                                  device(nl)['scrub']['state']),
             ('paused', 'paused'))
    run('bash', '-c', 'table=$(dmsetup table set); dmsetup remove --retry set; '
        'dmsetup create set --table "$table"')
    check_has('a pause survives a restart', scrub(nl), {'state': 'paused', 'end': blocks,
                                                        'position': now['position']})
    nl.do('scrub-resume', SET)
    check('it goes on from there', wait_until(
        10, lambda: scrub(nl)['position'] > now['position']), scrub(nl))
    check_is('and runs', scrub(nl)['state'], 'running')
    before = scrub(nl)['position']
    run('bash', '-c', 'table=$(dmsetup table set); dmsetup remove --retry set; '
        'dmsetup create set --table "$table"')
    now = scrub(nl)
    check('a scrub that ran is not forgotten by a restart', now['state'] in ('running', 'paused')
          and now['position'] + 1024 >= before, before, now)
    nl.do('scrub-cancel', SET)
    check_is('it ends when told', scrub(nl)['state'], 'idle')
    policy_set(nl, scrub_rate=1000000)
    disk.bad(120 * 8 + 5, 2)
    disk.bad(149 * 8, 8)
    disk.bad(151 * 8, 8)
    before = read_errors(nl)
    nl.do('scrub-start', {**SET, 'first': 100, 'count': 50})
    check('a scrub of a range ends', wait_until(30, lambda: scrub(nl)['state'] == 'done'),
          scrub(nl))
    check_has('and has found what is bad there', scrub(nl), {
        'first': 100, 'end': 150, 'position': 150, 'lost': 2, 'slow': 0, 'skipped': 0})
    found = [s for run_ in nl.dump('unreadable-get', SET) for s in
             range(run_['sector'], run_['sector'] + run_['sector-count'])]
    check_is('exactly that', found, [965, 966, *range(1192, 1200)])
    check('its errors are counted', read_errors(nl) > before, before)
    nl.do('scrub-start', {**SET, 'first': 100, 'count': 50})
    wait_until(30, lambda: scrub(nl)['state'] == 'done')
    check_has('what was lost before is passed over', scrub(nl), {'lost': 0, 'skipped': 2})


def do_scrub_rate():
    """At a tenth of the disk's speed at most."""
    nl = Family()
    policy_set(nl, scrub_rate=2048)
    begun = time.monotonic()
    nl.do('scrub-start', {**SET, 'first': 0, 'count': 2048})
    wait_until(30, lambda: scrub(nl)['state'] == 'done')
    took = time.monotonic() - begun
    check('8 MiB at 2 MiB a second take about 4 seconds', 3.0 < took < 12, took)
    check('the time is told', 2 <= scrub(nl)['elapsed'] <= 12, scrub(nl))


def do_scrub_slow(first, count):
    """Finds what is slow; blocks from first on are."""
    nl, first, count = Family(), int(first), int(count)
    policy_set(nl, slow_ms=20, scrub_rate=1000000)
    nl.do('scrub-start', {**SET, 'first': 0, 'count': first + count + 64})
    wait_until(50, lambda: scrub(nl)['state'] == 'done')
    now = scrub(nl)
    check('slow blocks are found', now['state'] == 'done' and now['slow'] >= count // 64, now)
    check('and lost none', now['lost'] == 0 and not map_of(), now)


# --- Spares ------------------------------------------------------------------


def add(nl, path):
    major, minor = dev_of(path)
    return nl.refused('spare-add', {**SET, 'spare-major': major, 'spare-minor': minor})


def do_spare_add_fails(spare):
    """Its metadata can be written in part only."""
    nl = Family()
    number, ack = add(nl, spare)
    check_is('a spare that can not keep its map is refused', number, errno.EIO)
    check('with the reason', len(ack.get('msg', '')) > 8, ack)


def do_spare_add(good, foreign, used):
    """good carries an anchor of this set, foreign none; used is in the set."""
    nl = Family()
    before = run('sha256sum', foreign)
    number, ack = add(nl, foreign)
    check('a device without an anchor is refused, with the reason', number and
          len(ack.get('msg', '')) > 8 and ack.get('bad-attr') in ('.spare-major', '.spare-minor'),
          number, ack)
    check_is('and not written to', run('sha256sum', foreign), before)
    number, ack = add(nl, used)
    check('a device that is in the set is refused', number and ack.get('msg'), number, ack)
    check_refused(nl, 'a device that is not there', 'spare-add',
                  {**SET, 'spare-major': 259, 'spare-minor': 12345},
                  [errno.ENXIO, errno.ENODEV, errno.ENOENT])
    check_refused(nl, 'no device', 'spare-add', {**SET, 'spare-major': 1}, [errno.EINVAL],
                  'spare-minor')
    number, answer = add(nl, good)
    check('a spare of this set joins while it runs', number == 0, number, answer)
    check_is('it is number 2', answer.get('spare'), 2)
    check_is('it is active', spares_as_status(nl).get(2, [0, 0])[1], 'active')
    check_is('dmsetup shows it', len(status()['spares']), 2)
    check_is('and so does the table', len(run('dmsetup', 'deps', 'set').split('(')), 4)
    nl.do('relocate', {**SET, 'first': 0, 'count': 300})
    check('it is used', spares_as_status(nl)[2][2] > 0, spares_as_status(nl))


def do_spare_retire():
    """Three spares in use."""
    nl = Family()
    sectors_tool('write', '/dev/mapper/set', 0, 1600, 1, '--size', 8)
    nl.do('relocate', {**SET, 'first': 0, 'count': 100})
    used = spares_as_status(nl)[1][2]
    check('the first spare is used', used > 0, used)
    for number in (0, 4, 31):
        check_refused(nl, f'number {number} is no spare', 'spare-retire', {**SET, 'spare': number},
                      [errno.EINVAL, *ABSENT], '.spare')
    check_refused(nl, 'nor is 32', 'spare-retire', {**SET, 'spare': 32},
                  [errno.ERANGE, errno.EINVAL], '.spare')
    check_refused(nl, 'one has to be named', 'spare-retire', SET, [errno.EINVAL], 'spare')
    check_has('spare-retire answers', nl.do('spare-retire', {**SET, 'spare': 1}), {'spare': 1})
    check('nothing lives on it', all(e[0] != 1 for e in map_of().values()), map_of())
    check('it is no member any more', spares_as_status(nl).get(1, (0, 'left'))[1] == 'left' and
          1 not in status()['spares'], spares_as_status(nl), status()['spares'])
    check_is('R1: all is read', sectors_tool('show', '/dev/mapper/set', 0, 1600, '--size', 8),
             ['0-1599:1'])
    number, ack = nl.refused('spare-retire', {**SET, 'spare': 1})
    check('it can not leave twice', number and ack.get('msg'), number, ack)
    check_is('the table that names it is suspended and resumed', run(
        'bash', '-c', 'dmsetup suspend set && dmsetup resume set && echo good').strip(), 'good')
    check_is('R1: all is read', sectors_tool('show', '/dev/mapper/set', 0, 1600, '--size', 8),
             ['0-1599:1'])


def do_spare_rejoin(disk):
    """A spare that was out is whole again."""
    nl = Family()
    check_is('the spare is out', spares_as_status(nl)[1][1], 'out')
    number, answer = add(nl, disk)
    check('a spare that is whole again is taken back, or a reload asked for',
          number == 0 and answer['spare'] == 1 and spares_as_status(nl)[1][1] == 'active' or
          number == errno.EOPNOTSUPP and answer.get('msg'), number, answer)


if __name__ == '__main__':
    assert Disk
    main(globals())
