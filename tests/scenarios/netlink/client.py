# SPDX-License-Identifier: GPL-2.0-or-later
"""What the netlink scenarios share: the family as the kernel's own client (YNL)
knows it from include/dm-remap.yaml alone, messages made byte by byte, the set
as dmsetup tells of it, and checks as lines of "ok" and "not ok"."""

import errno
import json
import mmap
import os
import socket
import struct
import subprocess
import sys
import time

import yaml

sys.path.insert(0, '/src/build/ynl')
from lib import NlError, YnlFamily  # noqa: E402  # pylint: disable=all
from lib.ynl import Netlink, NlAttrs, NlMsgs  # noqa: E402

# The parser written in C; the other one takes seconds on an emulated processor.
yaml.SafeLoader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)

SPEC = '/src/include/dm-remap.yaml'
NLM_F_DUMP_INTR = 0x10
EVENT_PAUSE = 0.1

# --- Checks ------------------------------------------------------------------


def check(what, good, *details):
    """One check; the details are shown if it failed."""
    print(('ok - ' if good else 'not ok - ') + what)
    if not good:
        for detail in details:
            print('# ' + str(detail).replace('\n', '\n# ')[:2000])
    sys.stdout.flush()
    return good


def check_is(what, found, expected):
    return check(what, found == expected, f'is:       {found!r}', f'expected: {expected!r}')


def check_has(what, found, expected):
    """All that is expected is found, whatever else there is."""
    part = {key: found.get(key) for key in expected}
    return check_is(what, part, expected)


def wait_until(seconds, condition):
    """Longer in a slow machine."""
    end = time.monotonic() + seconds * int(os.environ.get('PATIENCE', 1))
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.05)


# --- The family --------------------------------------------------------------


class Family(YnlFamily):
    """YNL's client, which also remembers the flags of what it received."""

    def __init__(self):
        super().__init__(SPEC, schema='')
        self.flags = 0

    def _recv_dbg_print(self, reply, nl_msgs):
        for msg in nl_msgs:
            self.flags |= msg.nl_flags

    def dump(self, op, attrs=None):
        self.flags = 0
        found = super().dump(op, attrs or {})
        if found is None:
            return []
        return found if isinstance(found, list) else [found]

    def refused(self, op, attrs, dump=False):
        """(errno, extended ack) of a request that must fail; (0, answer) if not."""
        try:
            answer = self.dump(op, attrs) if dump else self.do(op, attrs)
        except NlError as error:
            return error.error, error.nl_msg.extack or {}
        return 0, answer

    @property
    def id(self):
        return self.nlproto.family_id


def check_refused(family, what, op, attrs, numbers, attr=None, dump=False, text=True):
    """It fails with one of the errnos, with a sentence, and the attribute is named."""
    number, ack = family.refused(op, attrs, dump)
    good = number in numbers
    named = f'{ack.get("bad-attr")} {ack.get("miss-type")}' if good else ''
    if attr and good:
        good = attr in named.split()
    if text and good:
        good = len(ack.get('msg', '')) > 8
    return check(what, good, f'{op} {attrs}',
                 f'errno {number} {errno.errorcode.get(number)}, {ack}',
                 f'expected: {[errno.errorcode[n] for n in numbers]}, attribute {attr}')


class Listener:
    """A member of the group of events, and what it has received."""

    def __init__(self, family=None):
        self.family = family or Family()
        self.family.ntf_subscribe('events')
        self.family.sock.setblocking(False)
        self.events = []
        self.messages = 0
        self.overruns = 0

    def take(self):
        """All that is there."""
        while True:
            try:
                reply = self.family.sock.recv(131072)
            except BlockingIOError:
                return self.events
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.overruns += 1
                continue
            for msg in NlMsgs(reply):
                decoded = self.family.nlproto.decode(self.family, msg, None)
                self.events.append(self.family._decode(decoded.raw_attrs, 'main'))
                self.messages += 1

    def of(self, kind, **fields):
        fields = {key.replace('_', '-'): value for key, value in fields.items()}
        return [e for e in self.take() if e.get('event') == kind
                and all(e.get(key) == value for key, value in fields.items())]

    def expect(self, kind, seconds=5, **fields):
        """The first such event, waited for; {} and a failed check if there is none."""
        found = wait_until(seconds, lambda: self.of(kind, **fields))
        check(f'an event {kind} tells' + ''.join(f', {k} {v}' for k, v in fields.items()),
              found, f'events: {[(e.get("event"), e) for e in self.events][-8:]}')
        return found[0] if found else {}

    def forget(self):
        time.sleep(2 * EVENT_PAUSE)
        self.take()
        self.events.clear()


# --- Messages byte by byte ---------------------------------------------------


def attribute(number, payload, nested=False, length=None):
    """With a length of its own it may lie about its payload."""
    length = 4 + len(payload) if length is None else length
    pad = b'\0' * (-len(payload) % 4)
    return struct.pack('=HH', length, number | (0x8000 if nested else 0)) + payload + pad


class Raw:
    """A generic netlink socket without any help."""

    def __init__(self, family):
        self.family = family
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        self.sock.setsockopt(Netlink.SOL_NETLINK, Netlink.NETLINK_EXT_ACK, 1)
        self.sock.setsockopt(Netlink.SOL_NETLINK, Netlink.NETLINK_GET_STRICT_CHK, 1)
        self.sock.settimeout(10)
        self.seq = 1

    def number(self, name, space='main'):
        return self.family.attr_sets[space][name].value

    def command(self, op):
        return op if isinstance(op, int) else self.family.ops[op].req_value

    def send(self, op, payload=b'', dump=False, version=1, header=None):
        self.seq += 1
        flags = 5 | (0x300 if dump else 0)
        body = struct.pack('=BBH', self.command(op), version, 0) if header is None else header
        body += payload
        self.sock.send(struct.pack('=IHHII', 16 + len(body), self.family.id, flags,
                                   self.seq, 0) + body)

    def receive(self):
        return list(NlMsgs(self.sock.recv(131072)))

    def ask(self, op, payload=b'', **options):
        """(errno, extended ack); the answers are thrown away."""
        self.send(op, payload, **options)
        while True:
            for msg in self.receive():
                if msg.nl_seq == self.seq and msg.done:
                    return -msg.error, msg.extack or {}

    def name(self, name='set'):
        return attribute(self.number('name'), name.encode() + b'\0')


# --- The set as device-mapper tells of it ------------------------------------


def run(*words):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True).stdout


def message(name, *words):
    return run('dmsetup', 'message', name, '0', *map(str, words))


def status(name='set'):
    """The status line by the names of docs/target.md."""
    words = run('dmsetup', 'status', name).split()[3:]
    found = {'mode': words[0], 'generation': int(words[1]), 'block': int(words[2]),
             'remapped': int(words[4]), 'lost': int(words[5]), 'breaker': words[7]}
    for key, more, text in (('used', 'slots', words[3]), ('records-used', 'records', words[6])):
        found[key], found[more] = map(int, text.split('/'))
    count, at = int(words[8]), 9
    found['spares'] = {}
    for _ in range(count):
        number, dev, state, use = words[at:at + 4]
        found['spares'][int(number)] = (dev, state, *map(int, use.split('/')))
        at += 4
    pairs = words[at + 1:at + 1 + 2 * int(words[at])]
    found['counters'] = {key.replace('_', '-'): int(value)
                         for key, value in zip(pairs[::2], pairs[1::2])}
    return found


def map_of(name='set'):
    """{block: (member, slot, invalid)} by the map message."""
    found, at = {}, 0
    while at is not None:
        *lines, last = message(name, 'map', at).splitlines()
        for line in lines:
            block, member, slot, invalid = line.split()
            found[int(block)] = (int(member), int(slot), int(invalid, 16))
        at = None if last == 'end' else int(last.split()[1])
    return found


def dev_of(path):
    number = os.stat(path).st_rdev
    return os.major(number), os.minor(number)


def set_io(first, count=8, write=None, path='/dev/mapper/set'):
    """One I/O of sectors past the page cache; 0 or the errno."""
    buf = mmap.mmap(-1, max(count * 512, 4096))
    fd = os.open(path, os.O_RDWR | os.O_DIRECT)
    try:
        part = memoryview(buf)[:count * 512]
        if write is not None:
            part[:] = bytes([write]) * len(part)
            os.pwritev(fd, [part], first * 512)
        else:
            os.preadv(fd, [part], first * 512)
        part.release()
        return 0
    except OSError as error:
        return error.errno
    finally:
        os.close(fd)


class Disk:
    """A null_blk whose sectors can be made bad; sectors as the set counts them."""

    def __init__(self, path, offset=0):
        self.offset = offset
        self.file = f'/sys/kernel/config/nullb/{os.path.basename(path)}/badblocks'

    def _tell(self, sign, first, count):
        with open(self.file, 'w', encoding='ascii') as file:
            file.write(f'{sign}{self.offset + first}-{self.offset + first + count - 1}')

    def bad(self, first, count=1):
        self._tell('+', first, count)

    def good(self, first, count=1):
        self._tell('-', first, count)


def data_disk():
    """The data device of simple_set() in lib.sh."""
    return Disk(os.environ['data'], int(os.environ['off']))


def sectors_tool(*words):
    return run('/src/build/tests/sectors', *map(str, words)).split()


def main(tests):
    """Runs the function that is named by the first argument."""
    test = tests[f'do_{sys.argv[1]}']
    try:
        test(*sys.argv[2:])
    except NlError as error:
        check(f'{sys.argv[1]}: a request that must not fail', False, error)
    except subprocess.CalledProcessError as error:
        check(f'{sys.argv[1]}: {" ".join(error.cmd)}', False, error.stdout)


def show(what):
    print('# ' + json.dumps(what, default=str))
