#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Dumps of a large map: complete and in order, and marked (NLM_F_DUMP_INTR) if the
map was changed meanwhile. Dumps that nobody reads to the end hold nothing up."""

import os
import random
import struct
import threading
import time

from client import (NLM_F_DUMP_INTR, Family, Raw, check, check_is, check_refused, main, map_of,
                    message, run, status)

SET = {'name': 'set'}


def dump_blocks(family):
    """Blocks in the order of a dump, and whether it was marked."""
    blocks = [e['block'] for e in family.dump('map-get', SET)]
    return blocks, bool(family.flags & NLM_F_DUMP_INTR)


def step_dump(family, between):
    """A dump of which the second half is read after something else was done."""
    raw = Raw(family)
    number = raw.number('block')
    raw.send('map-get', raw.name(), dump=True)
    blocks, flags, first, done = [], 0, True, False
    while not done:
        for msg in raw.receive():
            flags |= msg.nl_flags
            if msg.done:
                done = True
                break
            decoded = family.nlproto.decode(family, msg, family.ops['map-get'])
            blocks += [struct.unpack('=Q', a.raw)[0] for a in decoded.raw_attrs
                       if a.type == number]
        if first:
            between()
            first = False
    return blocks, bool(flags & NLM_F_DUMP_INTR)


def do_large():
    nl = Family()
    truth = map_of()
    begun = time.monotonic()
    found = {e['block']: (e.get('spare', 0), e.get('slot', 0), e.get('invalid', 0))
             for e in nl.dump('map-get', SET)}
    print(f'# {len(found)} entries in {time.monotonic() - begun:.1f} s')
    check('a dump of a large map is complete', found == truth, len(found), len(truth))
    check('and not marked, since nothing changed', not nl.flags & NLM_F_DUMP_INTR)
    blocks, marked = step_dump(nl, lambda: None)
    check_is('nor if it takes a while', (len(blocks), marked), (len(truth), False))
    free = next(b for b in range(10 ** 6) if b not in truth)
    blocks, marked = step_dump(nl, lambda: nl.do('relocate', {**SET, 'first': free, 'count': 1}))
    check('a change in the middle of a dump marks it', marked)
    check('what did not change is told all the same', set(truth) <= set(blocks) and
          blocks == sorted(set(blocks)))
    blocks, marked = step_dump(nl, lambda: nl.do('release', {**SET, 'first': free, 'count': 1}))
    check('and so does a change behind', marked)
    blocks, marked = dump_blocks(nl)
    check_is('the next one is not marked', (blocks == sorted(truth), marked), (True, False))


def do_changing():
    """Relocations go on; they fill the free blocks one after the other."""
    nl = Family()
    before = map_of()
    free = [b for b in range(8000) if b not in before][:1500]
    stop, done = threading.Event(), []

    def move():
        own, wait = Family(), 0
        for block in free:
            if stop.wait(wait):
                return
            own.do('relocate', {**SET, 'first': block, 'count': 1})
            done.append(block)
            # Long enough for a dump, now and then.
            wait = random.choice((0, 0, 0, 0.1, 3))

    mover = threading.Thread(target=move)
    mover.start()
    marked_dumps = clean = 0
    wrong = []
    end = time.monotonic() + 20
    while time.monotonic() < end:
        low = len(done)
        blocks, marked = dump_blocks(nl)
        high = len(done) + 1
        moved = set(blocks) - set(before)
        if blocks != sorted(set(blocks)) or not set(before) <= set(blocks):
            wrong.append('order, or what did not change')
        if marked:
            marked_dumps += 1
            continue
        clean += 1
        # All of one moment: some number of the first free blocks.
        if not (low <= len(moved) <= high and moved == set(free[:len(moved)])):
            wrong.append((low, len(moved), high))
    stop.set()
    mover.join()
    print(f'# {marked_dumps} dumps marked, {clean} not, {len(done)} relocations')
    check('dumps are of one moment or marked', not wrong and clean > 0, clean, wrong[:5])
    check('relocations went on', len(done) > 5, len(done))
    check('some dumps were overtaken', marked_dumps > 0)
    blocks, marked = dump_blocks(nl)
    check_is('in the end all is told', (set(blocks) == set(before) | set(done), marked),
             (True, False))


def slab_kib():
    with open('/proc/meminfo', encoding='ascii') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('Slab:'))


def do_abandoned():
    """Dumps and requests whose answers nobody takes."""
    nl = Family()
    before = slab_kib()
    sockets = []
    for _ in range(200):
        raw = Raw(nl)
        raw.send(random.choice(('map-get', 'unreadable-get', 'device-get', 'stats-get')),
                 raw.name(), dump=True)
        sockets.append(raw)
    message('set', 'relocate', 0, 10)
    check('200 dumps that nobody reads hold little memory', slab_kib() - before < 65536,
          slab_kib() - before)
    for raw in sockets[:100]:
        raw.sock.close()
    table = run('dmsetup', 'table', 'set')
    run('dmsetup', 'remove', '--retry', 'set')
    check('a set can be removed while dumps wait', not os.path.exists('/dev/mapper/set'))
    ended = 0
    for raw in sockets[100:120]:
        done = False
        while not done:
            done = any(msg.done for msg in raw.receive())
        ended += 1
    check_is('they end', ended, 20)
    run('dmsetup', 'create', 'set', '--table', table)
    check('the set is taken into use again', status()['mode'] == 'rw')
    # The rest was begun with the set of before.
    for raw in sockets[120:]:
        done = False
        while not done:
            done = any(msg.done for msg in raw.receive())
    check('those that were begun before it too', True)
    check_refused(nl, 'the family is alive', 'device-get', {'name': 'none'}, [19, 2, 6])


if __name__ == '__main__':
    main(globals())
