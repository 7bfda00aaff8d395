"""Counts stacks and samples of every fixture and writes totals.tsv.

The counts do not come from plop, so that tests can hold plop's readers against
them. A .plop file is read by ast.literal_eval. In the text formats a record ends
with a space and a number (in Austin's full mode, numbers with commas, of which
the first is the time), and the text before that is its stack. A name may hold a
line feed, so a line without a number continues on the next line. Of two columns of
numbers the second is counted in a differential file, and the first where a header
names them, as plop takes these for the default. Not counted:
the first line "None 1" of a .flame file, and the lines of an .austin file that
start with "#". Usage: count.py, without arguments.
"""
import ast
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


def count(path):
    text = path.read_bytes().decode("utf-8")
    if path.suffix == ".plop":
        return count_plop(text)
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


def main():
    rows = ["file\tstacks\ttotal"]
    for suffix in ["plop", "flame", "folded", "austin"]:
        for path in sorted(HERE.glob("*/*." + suffix)):
            stacks, total = count(path)
            rows.append("%s\t%d\t%d" % (path.relative_to(HERE).as_posix(), stacks, total))
    (HERE / "totals.tsv").write_bytes(("\n".join(rows) + "\n").encode())


if __name__ == "__main__":
    main()
