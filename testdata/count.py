"""Counts stacks and samples of every fixture and writes totals.tsv.

The counts do not come from plop, so that tests can hold plop's readers against
them. A .plop file is read by ast.literal_eval. In the text formats a record ends
with a space and a number (in Austin's full mode, numbers with commas, of which
the first is the time), and the text before that is its stack. A name may hold a
line feed, so a line without a number continues on the next line. Of two columns of
numbers the second is counted in a differential file, and the first where a header
names them, as plop takes these for the default. Not counted:
the first line "None 1" of a .flame file, and the lines of an .austin file that
start with "#".

A .pprof file is decoded here, field by field. Its stacks differ when what they name
differs: functions, lines, addresses, mappings; ids and labels do not count. Its
total is of the default sample type, which is the last one if the file names none.
What `go tool pprof -raw` made of the file, in expected/, must say the same. A file of
pprof-legacy is counted in that text alone: nothing here reads the format itself.

Of a .speedscope.json file the first profile is counted, with the weights rounded to
9 decimal places. In an evented profile the weights are the times between events that
differ (an empty stack among them); time after the last event is not counted.
Usage: count.py, without arguments.
"""
import ast
import decimal
import gzip
import json
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
RECORD = re.compile(r"^(.*) (-?\d+)(?:,-?\d+)*\n", re.DOTALL)
TWO_COLUMNS = re.compile(r"^(.*) (-?\d+) (-?\d+)\n")


def count_plop(text):
    stacks = ast.literal_eval(text)
    return len(stacks), sum(stacks.values())


def count_text(lines):
    stacks, total, pending = set(), 0, ""
    for line in lines:
        pending += line
        record = RECORD.match(pending)
        if record:
            stacks.add(record.group(1))
            total += int(record.group(2))
            pending = ""
    assert not pending.strip(), pending
    return len(stacks), total


def count_columns(lines, column):
    records = [TWO_COLUMNS.match(line).groups() for line in lines]
    return len({stack for stack, *_ in records}), sum(int(r[column]) for r in records)


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def message(data):
    """The fields of a protobuf message: number -> list of integers and bytes."""
    fields, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            assert key & 7 == 2, "wire type %d" % (key & 7)
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        fields.setdefault(key >> 3, []).append(value)
    return fields


def integers(values):
    """A repeated integer field, in which packed and single values may be mixed."""
    found = []
    for value in values:
        if isinstance(value, int):
            found.append(value)
            continue
        at = 0
        while at < len(value):
            number, at = varint(value, at)
            found.append(number)
    return [n - (1 << 64) if n >> 63 else n for n in found]


def count_pprof(data):
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    profile = message(data)
    strings = profile[6]

    def table(number):
        rows = [message(row) for row in profile.get(number, [])]
        return {row.get(1, [0])[0]: row for row in rows}

    def texts(row, *numbers):
        return tuple(strings[row.get(number, [0])[0]] for number in numbers)

    def number(row, *numbers):
        return tuple(row.get(number, [0])[0] for number in numbers)

    mappings = {0: ()}
    for i, row in table(3).items():
        mappings[i] = number(row, 2, 3, 4) + texts(row, 5, 6)
    functions = {0: ()}
    for i, row in table(5).items():
        functions[i] = texts(row, 2, 3, 4) + number(row, 5)
    locations = {}
    for i, row in table(4).items():
        lines = [message(line) for line in row.get(4, [])]
        lines = tuple(functions[number(line, 1)[0]] + number(line, 2, 3) for line in lines)
        locations[i] = mappings[number(row, 2)[0]], number(row, 3), lines

    types = [texts(message(row), 1) for row in profile[1]]
    default = texts(profile, 14)
    column = types.index(default) if default[0] and default in types else len(types) - 1
    stacks, total = set(), 0
    for row in profile.get(2, []):
        row = message(row)
        stacks.add(tuple(locations[i] for i in integers(row.get(1, []))))
        total += integers(row[2])[column]
    return len(stacks), total


def count_raw(text):
    """Counts what `go tool pprof -raw` printed."""
    head, _, rest = text.partition("Samples:\n")
    samples, _, rest = rest.partition("Locations\n")
    types, _, samples = samples.partition("\n")
    types = re.findall(r"(.*?/\S*)(?: |$)", types)
    default = [column for column, name in enumerate(types) if name.endswith("[dflt]")]
    column = default[0] if default else len(types) - 1
    # A location spans several lines where functions are inlined.
    locations = re.findall(r"^ +(\d+): (.*\n(?: {13}.*\n)*)", rest.partition("Mappings\n")[0], re.M)
    locations = dict(locations)
    stacks, total = set(), 0
    for values, ids in re.findall(r"^((?: *-?\d+)+): ((?:\d+ )*)$", samples, re.M):
        stacks.add(tuple(locations[i] for i in ids.split()))
        total += int(values.split()[column])
    return len(stacks), total


def decimal_text(number):
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def count_speedscope(text):
    loaded = json.loads(text, parse_float=decimal.Decimal, parse_int=decimal.Decimal)
    frames = [json.dumps(f, default=str, sort_keys=True) for f in loaded["shared"]["frames"]]
    profile = loaded["profiles"][0]

    def rounded(number):
        return number.quantize(decimal.Decimal("1e-9"))

    if profile["type"] == "sampled":
        assert len(profile["samples"]) == len(profile["weights"])
        samples = list(zip(profile["samples"], map(rounded, profile["weights"])))
    else:
        samples, stack, before = [], [], rounded(profile["startValue"])
        for event in profile["events"]:
            at = rounded(event["at"])
            assert at >= before
            if at > before:
                samples.append((list(stack), at - before))
            before = at
            if event["type"] == "O":
                stack.append(event["frame"])
            else:
                assert stack.pop() == event["frame"]
        assert not stack
    stacks = {tuple(frames[int(i)] for i in stack) for stack, _ in samples}
    return len(stacks), decimal_text(sum(weight for _, weight in samples))


def count(path):
    expected = path.parent / "expected" / (path.name + ".raw.txt")
    if path.parent.name == "pprof":
        counted = count_pprof(path.read_bytes())
        raw = count_raw(expected.read_text("utf-8"))
        assert counted == raw, (path, counted, raw)
        return counted
    if path.parent.name == "pprof-legacy":
        return count_raw(expected.read_text("utf-8"))
    text = path.read_bytes().decode("utf-8")
    if path.suffix == ".plop":
        return count_plop(text)
    if path.parent.name == "speedscope":
        return count_speedscope(text)
    lines = re.findall(r".*\n", text)
    if path.name.endswith(".diff.folded"):
        return count_columns(lines, 2)
    if path.name.endswith(".columns.folded"):
        return count_columns(lines[1:], 1)
    if path.suffix == ".flame" and lines[0] == "None 1\n":
        del lines[0]
    if path.suffix == ".austin":
        lines = [line for line in lines if line.strip() and line[0] != "#"]
    return count_text(lines)


FORMATS = [
    "plop", "plop-flame", "folded", "folded-columns", "folded-diff", "austin", "speedscope",
    "pprof", "pprof-legacy",
]


def main():
    rows = ["file\tstacks\ttotal"]
    for name in FORMATS:
        for path in sorted(path for path in (HERE / name).iterdir() if path.is_file()):
            stacks, total = count(path)
            rows.append("%s\t%d\t%s" % (path.relative_to(HERE).as_posix(), stacks, total))
    (HERE / "totals.tsv").write_bytes(("\n".join(rows) + "\n").encode())


if __name__ == "__main__":
    main()
