"""Just enough of pprof's profile.proto to write inputs and to compare outputs, without any library.

A profile here has one mapping, locations of one line each and no labels. `read` takes what other
programs make of such a profile: ids in any order, packed numbers or not, gzip or not.
"""

import gzip
from collections import namedtuple

# Values are (type, unit) pairs; functions (name, file, first line); locations (function, line), both
# counted from 0. Samples are (locations, values), leaf first, `locations` as bytes that `packed` made.
Profile = namedtuple("Profile", "values functions locations samples")

START = 0x400000


def write(file, profile, period=10_000_000):
    """Writes to an open binary file, gzipped as Go does it: level 6, no name, no time."""
    strings = {"": 0}

    def text(string):
        return strings.setdefault(string, len(strings))

    parts = [message(1, number(1, text(kind)) + number(2, text(unit))) for kind, unit in profile.values]
    for locations, values in profile.samples:
        parts.append(message(2, message(1, locations) + message(2, b"".join(map(varint, values)))))
    end = START + 64 * len(profile.locations)
    mapping = number(1, 1) + number(2, START) + number(3, end) + number(5, text("/srv/shop/bin/shop"))
    parts.append(message(3, mapping + number(6, text("1f0a7c33")) + number(7, 1)))
    parts.extend(message(4, location) for location in profile.locations)
    for n, (name, path, line) in enumerate(profile.functions, 1):
        name = text(name)
        parts.append(message(5, number(1, n) + number(2, name) + number(3, name) + number(4, text(path))
                             + number(5, line)))
    kind, unit = profile.values[-1]
    last = [message(11, number(1, text(kind)) + number(2, text(unit))), number(12, period)]
    parts.extend(message(6, string.encode()) for string in strings)
    parts += [number(9, 1_700_000_000_000_000_000), number(10, 30_000_000_000), *last]
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as packer:
        packer.write(b"".join(parts))


def location(n, address, function, line):
    """The bytes of a location, numbered from 1."""
    return number(1, n) + number(2, 1) + number(3, address) + message(4, number(1, function + 1) + number(2, line))


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value) if value else b""


def message(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def read(path):
    """What a file says: value types as [(type, unit)], and {stack: values}, equal stacks summed.

    A stack is a hash of its frames' (name, file, line), leaf first, good within this process.
    """
    with open(path, "rb") as file:
        content = file.read()
    content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    strings, kinds, functions, frames, samples = [], [], {}, {}, []
    for field, value in fields(content):
        if field == 6:
            strings.append(bytes(value).decode())
        elif field == 1:
            kinds.append(dict(fields(value)))
        elif field == 5:
            function = dict(fields(value))
            functions[function[1]] = function
        elif field == 4:
            frames[number_of(value, 1)] = [dict(fields(line)) for key, line in fields(value) if key == 4]
        elif field == 2:
            samples.append(value)
    texts = {}
    for n, lines in frames.items():
        told = ((functions[line[1]], line.get(2, 0)) for line in lines)
        texts[n] = hash(tuple((strings[f.get(2, 0)], strings[f.get(4, 0)], line) for f, line in told))
    stacks = {}
    for sample in samples:
        key = hash(tuple([texts[n] for n in numbers(sample, 1)]))
        values = tuple(value - (value >> 63 << 64) for value in numbers(sample, 2))
        stacks[key] = tuple(map(sum, zip(stacks[key], values))) if key in stacks else values
    return [(strings[kind.get(1, 0)], strings[kind.get(2, 0)]) for kind in kinds], stacks


def fields(content):
    """The fields of a message as (number, value): an int, or the bytes."""
    content, at = memoryview(content), 0
    while at < len(content):
        key, at = varint_at(content, at)
        value, at = varint_at(content, at)
        if key & 7 == 2:
            value, at = content[at:at + value], at + value
        elif key & 7:
            raise ValueError(f"wire type {key & 7}, which no field of a profile has")
        yield key >> 3, value


def number_of(content, field):
    return next((value for key, value in fields(content) if key == field), 0)


def numbers(content, field):
    """All numbers of a repeated field, packed or not."""
    out = []
    for key, value in fields(content):
        if key == field and isinstance(value, int):
            out.append(value)
        elif key == field:
            shift = total = 0
            for byte in value:
                total |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    out.append(total)
                    shift = total = 0
    return out


def varint_at(content, at):
    shift = value = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
