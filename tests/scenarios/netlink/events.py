#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every kind of event, provoked and received by the kernel's own client."""

import os
import time

from client import (Disk, Family, Listener, check, check_has, check_is, data_disk, dev_of,
                    main, run, set_io, status, wait_until)

SET = {'name': 'set'}


def swap(name, table):
    run('dmsetup', 'load', name, '--table', table)
    run('dmsetup', 'suspend', '--nolockfs', '--noflush', name)
    run('dmsetup', 'resume', name)


def sectors(path):
    return int(run('blockdev', '--getsz', path))


def error_table(disk):
    return f'0 {sectors(disk)} error'


def linear_table(disk):
    return f'0 {sectors(disk)} linear {disk} 0'


def restart():
    run('bash', '-c', 'table=$(dmsetup table set); dmsetup remove --retry set; '
        'dmsetup create set --table "$table"')


def in_extents(event, sector):
    return any(x['sector'] <= sector < x['sector'] + x['count'] for x in event.get('extents', []))


def check_told(listener, what, kind, sector, count):
    """All these sectors are told of, by one event or by several: a range that takes longer
    than the pause between two events is told in parts."""
    told = wait_until(5, lambda: all(
        any(in_extents(event, s) for event in listener.of(kind))
        for s in range(sector, sector + count)))
    check(what, told, listener.of(kind))


def check_stream(listener, first=None):
    """Numbers without gaps in each session, totals that never shrink."""
    sessions = {}
    for event in listener.take():
        sessions.setdefault(event['session'], []).append(event)
    for events in sessions.values():
        numbers = [e['seq'] for e in events]
        check('events are numbered without gaps',
              numbers == list(range(numbers[0], numbers[0] + len(numbers))), numbers)
        if first is not None and events is list(sessions.values())[-1]:
            check_is('from one', numbers[0], first)
        check('no event was dropped', events[-1]['event-dropped'] == 0, events[-1])
        by_kind = {}
        for e in events:
            by_kind.setdefault(e['event'], []).append(e)
        for kind, same in by_kind.items():
            totals = [e['total'] for e in same]
            counted = [sum(e['occurrences'] for e in same[:i + 1]) for i in range(len(same))]
            start = totals[0] - same[0]['occurrences']
            if totals != [start + n for n in counted]:
                check(f'totals of {kind} are the sums of occurrences', False, totals, counted)
    return sessions


def do_faults():
    nl, disk, listener = Family(), data_disk(), Listener()
    device = nl.do('device-get', SET)
    disk.bad(80)
    begun = time.time_ns()
    set_io(80, 1)
    event = listener.expect('read-error')
    check_has('it tells where and what', event, {
        'name': 'set', 'uuid': device['uuid'], 'major': device['major'], 'minor': device['minor'],
        'session': device['session'], 'spare': 0, 'direction': 'read', 'class': 'ioerr'})
    check('the sector', in_extents(event, 80), event)
    check('the time', begun - 10 ** 9 < event.get('time', 0) <= event.get('time-last', 0)
          < time.time_ns() + 10 ** 9, event, begun)
    check('how often', 1 <= event.get('occurrences', 0) <= event.get('total', 0), event)
    event = listener.expect('lost')
    check('the lost sector', in_extents(event, 80) and not in_extents(event, 81), event)
    disk.good(80)
    listener.forget()
    set_io(80, 8, write=1)
    event = listener.expect('healed')
    check('the healed sector', in_extents(event, 80), event)
    disk.bad(160, 8)
    listener.forget()
    set_io(160, 8, write=2)
    event = listener.expect('write-error', spare=0, direction='write')
    check_is('of the class', event.get('class'), 'ioerr')
    event = listener.expect('relocated')
    check('the block that moved', in_extents(event, 160) and in_extents(event, 167), event)
    check_is('to the spare', event.get('spare'), 1)
    listener.forget()
    nl.do('relocate', {**SET, 'first': 30, 'count': 4})
    listener.expect('relocated')
    check_told(listener, 'the range that moved', 'relocated', 240, 32)
    listener.forget()
    nl.do('release', {**SET, 'first': 30, 'count': 4})
    listener.expect('released')
    check_told(listener, 'the range that moved back', 'released', 240, 32)
    check_stream(listener)


def do_states():
    nl, disk, listener = Family(), data_disk(), Listener()
    answer = nl.do('policy-set', {**SET, 'policy': {'retries': 2, 'lifetime': 1}})['policy']
    event = listener.expect('policy', reason='set')
    check_is('with the policy', event.get('policy'), answer)
    event = listener.expect('policy', reason='expired')
    check_is('with what is in force now', event.get('policy', {}).get('retries'), 0)
    nl.do('policy-set', {**SET, 'policy': {'scrub-rate': 800}})
    listener.forget()
    for op, state in (('start', 'running'), ('pause', 'paused'), ('resume', 'running'),
                      ('cancel', 'idle')):
        nl.do(f'scrub-{op}', SET)
        found = wait_until(5, lambda: [e for e in listener.of('scrub')
                                       if e.get('scrub', {}).get('state') == state])
        check(f'scrub {op}: an event tells', found, listener.events)
        listener.forget()
    disk.bad(8 * 20, 8)
    nl.do('policy-set', {**SET, 'policy': {'scrub-rate': 100000}})
    listener.forget()
    nl.do('scrub-start', {**SET, 'first': 10, 'count': 20})
    found = wait_until(10, lambda: [e for e in listener.of('scrub')
                                    if e.get('scrub', {}).get('state') == 'done'])
    check('the end of a scrub is told, with what it found', found and
          found[0]['scrub']['lost'] == 1, listener.events)
    check('and what was lost', listener.of('lost'), listener.events)
    listener.forget()
    before = nl.do('device-get', SET)['session']
    restart()
    event = listener.expect('deactivated')
    check_is('of the old session', event.get('session'), before)
    event = listener.expect('activated')
    now = nl.do('device-get', SET)['session']
    check_is('of the new one', event.get('session'), now)
    listener.expect('policy', reason='loaded', session=now)
    check_stream(listener, first=1)


def do_spares(slots):
    """One spare of few slots; all is on dm devices named data and spare1."""
    nl, listener, slots = Family(), Listener(), int(slots)
    disk = Disk(os.environ['data'], int(os.environ['off']))
    nl.do('policy-set', {**SET, 'policy': {'spare-low': 50}})
    listener.forget()
    nl.do('relocate', {**SET, 'first': 0, 'count': slots - 2})
    event = listener.expect('spare-low')
    check('how many are left', event.get('slots') == slots and
          event.get('slots-used', 0) > slots // 2, event)
    listener.forget()
    nl.refused('relocate', {**SET, 'first': slots - 2, 'count': 2})
    event = listener.expect('spare-full')
    check_is('none are left', (event.get('slots-used'), event.get('slots')), (slots, slots))
    disk.bad(8 * (slots + 50), 8)
    listener.forget()
    set_io(8 * (slots + 50), 8, write=1)
    event = listener.expect('relocate-failed')
    check('the block that could not be moved', in_extents(event, 8 * (slots + 50)), event)
    listener.forget()
    for _ in range(20):
        set_io(8 * (slots + 50), 8, write=1)
    time.sleep(0.5)
    check_is('full is told once', listener.of('spare-full'), [])
    nl.do('release', {**SET, 'first': 0, 'count': slots - 4})
    listener.expect('spare-ok')
    check_stream(listener)


def do_members(disk1):
    """Three spares on dm devices; spare1 is on disk1."""
    nl, listener = Family(), Listener()
    nl.do('relocate', {**SET, 'first': 0, 'count': 60})
    listener.forget()
    swap('spare1', error_table(disk1))
    for block in range(100, 110):
        nl.refused('relocate', {**SET, 'first': block, 'count': 1})
    event = listener.expect('spare-failed', spare=1)
    check_is('with its state', event.get('spare-state'), 'out')
    swap('spare1', linear_table(disk1))
    listener.forget()
    nl.do('spare-retire', {**SET, 'spare': 2})
    event = listener.expect('spare-left', spare=2)
    check('and which it was', len(event.get('spare-uuid', '')) == 36, event)
    check_stream(listener)


def do_joined(path):
    """A device that carries an anchor of the set."""
    nl, listener = Family(), Listener()
    major, minor = dev_of(path)
    nl.do('spare-add', {**SET, 'spare-major': major, 'spare-minor': minor})
    event = listener.expect('spare-joined')
    check_has('which it is', event, {'spare': 2, 'spare-state': 'active'})
    check('with its UUID', len(event.get('spare-uuid', '')) == 36, event)


def do_breaker(disk):
    """The data device, a dm device named data, goes and comes back."""
    nl, listener = Family(), Listener()
    nl.do('policy-set', {**SET, 'policy': {'breaker-ms': 200}})
    listener.forget()
    swap('data', error_table(disk))
    for block in range(200):
        set_io(block * 8, 8, write=1)
        if nl.do('device-get', SET)['breaker'] != 'closed':
            break
    event = listener.expect('breaker-open')
    check('all of it, or its writes', event.get('breaker') in ('open', 'open-writes'), event)
    found = nl.do('device-get', SET)
    check('device-get tells', found['breaker'] != 'closed' and found['counters']['breaker-trips'],
          found)
    listener.forget()
    for block in range(200):
        set_io(block * 8, 8, write=1)
    time.sleep(0.5)
    check_is('it is told once', listener.of('breaker-open'), [])
    check_is('nothing was relocated meanwhile', status()['remapped'], 0)
    swap('data', linear_table(disk))
    event = listener.expect('breaker-closed', seconds=20)
    check_is('the state', event.get('breaker'), 'closed')
    check_stream(listener)


def do_frozen(data, spare, first, last):
    """No copy of the map can be written any more."""
    nl, listener = Family(), Listener()
    for disk in (Disk(data), Disk(spare)):
        for at in range(int(first), int(last), 512):
            disk.bad(at, min(512, int(last) - at))
    nl.refused('relocate', {**SET, 'first': 10, 'count': 1})
    listener.expect('frozen')
    check_is('device-get tells', nl.do('device-get', SET)['mode'], 'frozen')
    number, ack = nl.refused('policy-set', {**SET, 'policy': {'retries': 3}})
    check('a policy that can not be kept is refused', number and ack.get('msg'), number, ack)
    check_is('and is not in force', nl.do('policy-get', SET)['policy']['retries'], 0)


def do_slow():
    """The data device takes 30 ms."""
    nl, listener = Family(), Listener()
    nl.do('policy-set', {**SET, 'policy': {'slow-ms': 15}})
    listener.forget()
    for block in range(5):
        set_io(block * 8, 8)
    event = listener.expect('slow', spare=0, direction='read')
    check('how long', 15000 <= event.get('max-us', 0) < 2000000, event)
    check('and where', in_extents(event, 0), event)
    time.sleep(0.3)
    check_is('each of them', sum(e['occurrences'] for e in listener.of('slow')), 5)
    nl.do('policy-set', {**SET, 'policy': {'slow-ms': 10000}})
    listener.forget()
    set_io(0, 8)
    time.sleep(0.3)
    check_is('what is not slow is not told', listener.of('slow'), [])


def do_places():
    """More places than an event has room for."""
    nl, disk, listener = Family(), data_disk(), Listener()
    nl.do('policy-set', {**SET, 'policy': {'ioerr': 'pass'}})
    for i in range(200):
        disk.bad(i * 80)
    listener.forget()
    # From one process per core, so that many fall into a tenth of a second.
    for i in range(200):
        set_io(i * 80, 1)
    time.sleep(0.5)
    found = listener.of('read-error')
    check_is('each is counted', sum(e['occurrences'] for e in found), 200)
    check_is('each place is told or counted',
             sum(len(e['extents']) + e.get('extents-lost', 0) for e in found), 200)
    check('no message has more than 64 places', max(len(e['extents']) for e in found) <= 64)
    told = {x['sector'] for e in found for x in e['extents']}
    check('all places told are true', told <= {i * 80 for i in range(200)}, told)


if __name__ == '__main__':
    main(globals())
