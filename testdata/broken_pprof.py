"""Writes pprof/broken, pprof/repaired, and the binary files of pprof-legacy/broken.

Each file is the same small profile with one thing broken: two sample types, one
mapping, two functions, two locations and two samples, without gzip; or, in the
binary format of gperftools, two samples. Usage: broken_pprof.py, without arguments.
"""
import gzip
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent
STRINGS = ["", "samples", "count", "cpu", "nanoseconds", "/srv/app/work", "main", "work", "work.c"]
S = {text: index for index, text in enumerate(STRINGS)}


def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def packed(field, values):
    return block(field, b"".join(varint(value) for value in values))


def block(field, data):
    if isinstance(data, str):
        data = data.encode()
    return varint(field << 3 | 2) + varint(len(data)) + data


def value_type(field, name, unit):
    return block(field, number(1, S[name]) + number(2, S[unit]))


def sample(locations, values):
    return block(2, packed(1, locations) + packed(2, values))


def mapping():
    fields = [number(1, 1), number(2, 0x1000), number(3, 0x2000), number(5, S["/srv/app/work"])]
    return block(3, b"".join(fields))


def location(identity, function):
    line = block(4, number(1, function) + number(2, 10 * function))
    return block(4, number(1, identity) + number(2, 1) + number(3, 0x1000 + identity) + line)


def function(identity, name):
    return block(5, number(1, identity) + number(2, S[name]) + number(4, S["work.c"]))


def profile(**changes):
    """The profile's fields in order; `changes` replaces some, by name."""
    parts = {
        "types": value_type(1, "samples", "count") + value_type(1, "cpu", "nanoseconds"),
        "samples": sample([2, 1], [3, 30]) + sample([1], [1, 10]),
        "mappings": mapping(),
        "locations": location(1, 1) + location(2, 2),
        "functions": function(1, "main") + function(2, "work"),
        "strings": b"".join(block(6, text) for text in STRINGS),
        "rest": number(9, 1700000000000000000) + number(12, 10),
    }
    parts.update(changes)
    return b"".join(parts.values())


def write_pprof():
    folder = HERE / "pprof" / "broken"
    whole = profile()
    locations = location(1, 1) + location(2, 2)
    eleven = varint(9 << 3) + b"\xff" * 10 + b"\x01"
    files = {
        "string-index-past-end": profile(
            functions=function(1, "main") + block(5, number(1, 2) + number(2, len(STRINGS)))),
        "string-index-negative": profile(
            functions=function(1, "main") + block(5, number(1, 2) + number(2, -1))),
        "first-string-not-empty": profile(
            strings=block(6, "x") + b"".join(block(6, text) for text in STRINGS[1:])),
        "no-strings": profile(strings=b""),
        "value-missing": profile(samples=sample([2, 1], [3, 30]) + sample([1], [1])),
        "value-too-many": profile(types=value_type(1, "samples", "count")),
        "no-sample-types": profile(types=b""),
        "location-missing": profile(samples=sample([3, 1], [3, 30])),
        "location-id-twice": profile(locations=locations + location(2, 1)),
        "location-id-zero": profile(
            samples=sample([0, 1], [3, 30]), locations=location(0, 2) + location(1, 1)),
        "function-id-twice": profile(functions=function(1, "main") + function(1, "work")),
        "varint-of-11-bytes": profile(rest=eleven),
        "varint-cut-off": whole + varint(9 << 3) + b"\x80",
        "length-past-end": whole + varint(13 << 3 | 2) + varint(1000) + b"\x01",
        "cut-off": whole[:len(whole) - len(profile(strings=b"", rest=b"")) // 2],
        "samples-are-numbers": profile(samples=number(2, 7)),
        "two-profiles": whole + whole,
    }
    for name, data in files.items():
        (folder / (name + ".pprof")).write_bytes(data)
    without_id = lambda name: block(5, number(2, S[name]) + number(4, S["work.c"]))
    repaired = {
        "function-missing": profile(functions=function(1, "main")),
        "functions-without-ids": profile(functions=without_id("main") + without_id("work")),
        "group": whole + varint(20 << 3 | 3) + varint(20 << 3 | 4),
        "mapping-missing": profile(mappings=b""),
    }
    for name, data in repaired.items():
        (HERE / "pprof" / "repaired" / (name + ".pprof")).write_bytes(data)
    # Broken outside of the profile: a gzip member that ends early, and one whose sum is wrong.
    packed_whole = gzip.compress(whole, mtime=0)
    (folder / "gzip-cut-off.pprof").write_bytes(packed_whole[:-20])
    wrong_sum = packed_whole[:-8] + b"\x00\x00\x00\x00" + packed_whole[-4:]
    (folder / "gzip-wrong-checksum.pprof").write_bytes(wrong_sum)


def write_legacy():
    def words(*values):
        return struct.pack("<%dQ" % len(values), *values)

    header, trailer = words(0, 3, 0, 10000, 0), words(0, 1, 0)
    samples = words(3, 2, 0x1010, 0x1020) + words(1, 1, 0x1020)
    maps = b"1000-2000 r-xp 00000000 00:00 0 /srv/app/work\n"
    files = {
        "cpu-cut-off-in-sample": header + samples[:-4],
        "cpu-more-frames-than-file": header + words(3, 1 << 40, 0x1010) + trailer + maps,
        "cpu-period-zero": words(0, 3, 0, 0, 0) + samples + trailer + maps,
    }
    for name, data in files.items():
        (HERE / "pprof-legacy" / "broken" / (name + ".prof")).write_bytes(data)


def main():
    write_pprof()
    write_legacy()


if __name__ == "__main__":
    main()
