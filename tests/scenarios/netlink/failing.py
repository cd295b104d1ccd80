#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests of which one allocation fails, the first, the second, and so on until none
is left: each is answered or refused, and the set stays as it is."""

import os
import struct

from client import Family, Raw, attribute, check, check_is, main, map_of

MOST = 400
WAIT = 3        # seconds for an answer that may have had no memory


class Nth:
    """The allocation of this thread that fails."""

    def __init__(self):
        self.file = os.open('/proc/thread-self/fail-nth', os.O_RDWR)

    def arm(self, number):
        os.pwrite(self.file, b'%d' % number, 0)

    def disarm(self):
        """Was it never reached?"""
        left = int(os.pread(self.file, 16, 0).strip(b'\0\n'))
        self.arm(0)
        return left > 0


def once(nth, family, number, op, payload, dump):
    """The errno that comes of it, and whether nothing was left to fail."""
    raw = Raw(family)
    raw.sock.settimeout(WAIT)
    nth.arm(number)
    try:
        error = raw.ask(op, payload(raw), dump=dump)[0]
    except OSError as failed:
        error = failed.errno or -1
    left = nth.disarm()
    raw.sock.close()
    return error, left


def each(nth, family, op, payload, dump):
    for number in range(1, MOST):
        error, left = once(nth, family, number, op, payload, dump)
        if left:
            check_is(f'R6: {op} at last, after {number - 1} allocations', error, 0)
            return number - 1
    check(f'R6: {op} comes to an end', False)
    return 0


def name_of(raw):
    return raw.name()


def blocks_of(raw):
    return raw.name() + attribute(raw.number('first'), struct.pack('=Q', 20)) + \
        attribute(raw.number('count'), struct.pack('=Q', 4))


def do_requests():
    family, nth = Family(), Nth()
    before = map_of()
    tried = 0
    for op in family.ops.values():
        if op.name.endswith('-get'):
            for mode in sorted(op.modes & {'do', 'dump'}):
                tried += each(nth, family, op.name, name_of, mode == 'dump')
    check_is('R1: the map is as it was', map_of(), before)
    tried += each(nth, family, 'relocate', blocks_of, False)
    tried += each(nth, family, 'release', blocks_of, False)
    check_is('R1: and after moving there and back', map_of(), before)
    check('some were made to fail', tried > 10, tried)


if __name__ == '__main__':
    main(globals())
