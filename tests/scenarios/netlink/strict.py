#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may not ask, and what may not be asked: permissions, and messages that no
client should send."""

import ctypes
import errno
import os
import struct

from client import (Family, NlError, Raw, attribute, check, check_is, main, map_of, status)

SET = {'name': 'set'}
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
REQUESTS = {
    'policy-set': {'policy': {'retries': 1}},
    'relocate': {'first': 1, 'count': 1},
    'release': {'first': 1, 'count': 1},
    'spare-add': {'spare-major': 1, 'spare-minor': 1},
    'spare-retire': {'spare': 1},
}


# --- Permissions -------------------------------------------------------------


def all_refused(who, expected=errno.EPERM):
    family = Family()
    for op in family.ops.values():
        for mode in op.modes & {'do', 'dump'}:
            attrs = {**SET, **REQUESTS.get(op.name, {})}
            number, ack = family.refused(op.name, attrs, dump=mode == 'dump')
            check(f'{who}: {mode} of {op.name} is refused', number == expected, number, ack)
    if expected != errno.EPERM:
        return
    try:
        # A socket that was not used yet.
        Family().ntf_subscribe('events')
        check(f'{who}: the group of events can not be joined', False)
    except OSError as error:
        check_is(f'{who}: the group of events can not be joined', error.errno, errno.EPERM)


def in_child(what, prepare, parent=None):
    """Checks in a process that has become somebody else."""
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        status_ = 1
        try:
            prepare()
            os.write(ready[1], b'.')
            os.read(go[0], 1)
            all_refused(what)
            status_ = 0
        finally:
            os._exit(status_)
    os.close(ready[1])
    os.read(ready[0], 1)
    if parent:
        parent(child)
    os.write(go[1], b'.')
    check_is(f'{what}: all was tried', os.waitpid(child, 0)[1], 0)


def drop():
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)


def unshare(flags):
    if ctypes.CDLL(None, use_errno=True).unshare(flags):
        raise OSError(ctypes.get_errno(), 'unshare')


def map_root(child):
    for file in ('uid_map', 'gid_map'):
        with open(f'/proc/{child}/{file}', 'w', encoding='ascii') as f:
            f.write('0 0 1')


def do_permissions():
    before = status(), map_of(), Family().do('policy-get', SET)
    in_child('nobody', drop)
    in_child('root of another user namespace', lambda: unshare(CLONE_NEWUSER), map_root)
    child = os.fork()
    if not child:
        status_ = 1
        try:
            # With the number of the family, which is known from before.
            unshare(CLONE_NEWUSER | CLONE_NEWNET)
            all_refused('root of another network', errno.ENOENT)
            status_ = 0
        finally:
            os._exit(status_)
    check_is('another network: all was tried', os.waitpid(child, 0)[1], 0)
    check_is('nothing was changed', (status(), map_of(), Family().do('policy-get', SET)), before)


# --- Messages ----------------------------------------------------------------


class Cases:
    def __init__(self):
        self.family = Family()
        self.raw = Raw(self.family)

    def attr(self, name, payload, space='main', **options):
        return attribute(self.raw.number(name, space), payload, **options)

    def u32(self, name, value, space='main'):
        return self.attr(name, struct.pack('=I', value), space)

    def u64(self, name, value, space='main'):
        return self.attr(name, struct.pack('=Q', value), space)

    def refused(self, what, op, payload, numbers=(errno.EINVAL,), **options):
        try:
            number, ack = self.raw.ask(op, payload, **options)
        except TimeoutError:
            number, ack = -1, 'no answer'
        return check(f'refused: {what}', number in numbers,
                     f'errno {number} {errno.errorcode.get(number)}, {ack}', f'expected {numbers}')

    def taken(self, what, op, payload, **options):
        number, ack = self.raw.ask(op, payload, **options)
        check(f'taken: {what}', number == 0, number, ack)


def do_messages():
    c = Cases()
    name = c.raw.name()
    ranged = name + c.u64('first', 1) + c.u64('count', 1)
    size = (errno.EINVAL, errno.ERANGE)
    before = status(), map_of(), c.family.do('policy-get', SET)
    c.taken('a request made byte by byte', 'device-get', name)
    c.taken('a dump too', 'device-get', name, dump=True)
    for dump in (False, True):
        how = 'dump' if dump else 'do'
        for number in (200, 1000, 0x3fff, len(c.family.attr_sets['main'].attrs) + 1):
            c.refused(f'{how}: an attribute {number} that nobody knows', 'device-get',
                      name + attribute(number, b'\0\0\0\0'), dump=dump)
        for known in ('sector', 'policy', 'major', 'pad', 'first', 'session'):
            c.refused(f'{how}: {known}, which is of other requests', 'device-get',
                      name + c.u64(known, 1), dump=dump)
        c.refused(f'{how}: attribute 0', 'device-get', name + attribute(0, b'\0\0\0\0'), dump=dump)
        c.refused(f'{how}: a name without its end', 'device-get', c.attr('name', b'set'),
                  numbers=size, dump=dump)
        c.refused(f'{how}: a name that is too long', 'device-get',
                  c.attr('name', b'x' * 128 + b'\0'), numbers=size, dump=dump)
        c.refused(f'{how}: a name of nothing', 'device-get', c.attr('name', b''), numbers=size,
                  dump=dump)
        for trailing in (1, 2, 3):
            c.refused(f'{how}: {trailing} bytes behind the last attribute', 'device-get',
                      name + b'\1' * trailing, dump=dump)
        c.refused(f'{how}: an attribute that is longer than the message', 'device-get',
                  c.attr('name', b'set\0', length=200), dump=dump)
        c.refused(f'{how}: an attribute shorter than its head', 'device-get',
                  name + c.attr('uuid', b'x\0\0\0', length=3), dump=dump)
    c.refused('an empty name', 'device-get', c.attr('name', b'\0'),
              numbers=(errno.EINVAL, errno.ENODEV, errno.ENOENT, errno.ENXIO))
    c.refused('a number of 4 bytes that has 8', 'relocate',
              name + c.attr('first', b'\0' * 4) + c.u64('count', 1), numbers=size)
    c.refused('a number of 8 bytes that has 12', 'relocate',
              name + c.attr('first', b'\0' * 12) + c.u64('count', 1), numbers=size)
    c.refused('a number of 4 bytes that has 8', 'spare-retire', name + c.u64('spare', 1),
              numbers=size)
    c.refused('a number without bytes', 'spare-retire', name + c.attr('spare', b''), numbers=size)
    c.refused('a flag with content', 'relocate', ranged + c.u32('slow-only', 1), numbers=size)
    c.refused('a flag of another request', 'release', ranged + c.attr('slow-only', b''))
    retries = c.u32('retries', 1, 'policy')
    c.refused('a nest that is not marked as one', 'policy-set', name + c.attr('policy', retries))
    c.refused('a number that is marked as a nest', 'spare-retire',
              name + c.attr('spare', struct.pack('=I', 1), nested=True))
    c.refused('a nest of rubbish', 'policy-set', name + c.attr('policy', b'\xff' * 20, nested=True))
    c.refused('a nest with a wrong size', 'policy-set', name + c.attr(
        'policy', c.u64('retries', 1, 'policy'), nested=True), numbers=size)
    c.refused('a nest with an unknown attribute', 'policy-set', name + c.attr(
        'policy', retries + attribute(99, b'\0\0\0\0'), nested=True))
    c.refused('a nest with bytes behind its last', 'policy-set', name + c.attr(
        'policy', retries + b'\1\1', nested=True))
    c.refused('a nest in a nest', 'policy-set', name + c.attr(
        'policy', c.attr('heal', retries, 'policy', nested=True), nested=True), numbers=size)
    c.refused('a policy that is a string', 'policy-set', name + c.attr('policy', b'heal spare\0'))
    for op in ('spare-get', 'map-get', 'unreadable-get', 'stats-get'):
        c.refused(f'{op} that is no dump', op, name, numbers=(errno.EOPNOTSUPP,))
    for op in ('policy-set', 'relocate', 'release', 'scrub-start', 'scrub-pause', 'scrub-resume',
               'scrub-cancel', 'spare-add', 'spare-retire'):
        c.refused(f'{op} as a dump', op, name, numbers=(errno.EOPNOTSUPP,), dump=True)
    event = c.family.msgs['event'].rsp_value
    for number in (0, event, event + 1, 255):
        for dump in (False, True):
            c.refused(f'command {number}', number, name, numbers=(errno.EOPNOTSUPP,), dump=dump)
    c.refused('a message without a head', 'device-get', b'', header=b'')
    c.refused('a message with half a head', 'device-get', b'', header=b'\1\1')
    check_is('nothing was changed', (status(), map_of(), c.family.do('policy-get', SET)), before)
    c.taken('the family is alive', 'device-get', name)


def do_acks():
    """Refusals name the attribute by its offset, and the reason."""
    c = Cases()
    for what, op, attrs, attr in (
            ('a value out of range', 'policy-set', {'policy': {'retries': 11}}, '.policy.retries'),
            ('behind others', 'policy-set', {'policy': {'heal': 'spare', 'sample': 70000}},
             '.policy.sample'),
            ('no such set', 'device-get', {'name': 'nosuch'}, '.name'),
            ('no such spare', 'spare-retire', {'spare': 9}, '.spare')):
        number, ack = c.family.refused(op, {**SET, **attrs})
        check(f'{what}: the attribute and a sentence', number and ack.get('bad-attr') == attr and
              len(ack.get('msg', '')) > 8, number, ack)
    for op, missing in (('policy-set', 'policy'), ('spare-retire', 'spare'),
                        ('relocate', 'first'), ('spare-add', 'spare-major')):
        number, ack = c.family.refused(op, SET)
        check(f'{op}: what is missing is named', number == errno.EINVAL and
              ack.get('miss-type') == missing, number, ack)
    # Without extended acks the errno alone.
    raw = Raw(c.family)
    raw.sock.setsockopt(270, 11, 0)
    number, ack = raw.ask('device-get', raw.name('nosuch'))
    check('who asked for no sentence gets none', number and not ack, number, ack)


if __name__ == '__main__':
    assert NlError
    main(globals())
