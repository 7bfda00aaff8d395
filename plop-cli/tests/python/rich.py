# -*- coding: utf-8 -*-
"""What the files WHOLE and DECIMAL of python.rs hold.

`rich.py check WHOLE|DECIMAL FILE...` compares files with it, their comments included.
`rich.py plain WHOLE|DECIMAL FILE` writes what the original Plop would have written.
Runs on Python 2.7 and 3.
"""
import io
import json
import sys

from literal import PYTHON2, header, source, stacks

PARSE = (u"app/expr.py", 88, u"parse_expr")
MAIN = (u"app/main.py", 12, u"<module>")
LESS = (u"less.py", -1, u"less")
# In a str of Python 2 this is no escape.
NOT_UTF8 = (u"bad \\udcff.py" if PYTHON2 else u"bad \udcff.py", 5, u"coding: latin-1")
QUOTES = (u"it's \"q\".py", 6, u"line\nfeed\ttab\\end")
LETTERS = ((u"mod\xe9.py", 3, u"\xe9t\xe9"), (u"\u65e5\u672c\u8a9e.py", 4, u"\U0001f600"))
DEEP = tuple((u"deep.py", line, u"down") for line in range(100000))

ROUTE = ((u"route", u"/search"),)
USER = ((u"bytes", 512, u"B"), (u"user", u"\xe9\xe9"))
MAIN_THREAD, UTF7, LATIN1 = u"MainThread", u"coding: utf-7", u"# -*- coding: latin-1 -*-"

FILES = {
    "WHOLE": {
        "stacks": {
            (PARSE, MAIN): 331,
            LETTERS: 20,
            (NOT_UTF8,): 7,
            (QUOTES,): 0,
            (LESS, MAIN): -4,
            (): 2,
            DEEP: 1,
        },
        # Slice, thread, labels, stack and values.
        "samples": [
            (0, MAIN_THREAD, None, (PARSE, MAIN), [300, 310]),
            (0, MAIN_THREAD, None, LETTERS, [20, 20]),
            (1, UTF7, ROUTE, (PARSE, MAIN), [31, 40]),
            (1, UTF7, ROUTE, (LESS, MAIN), [-4, 0]),
            (1, LATIN1, USER, (NOT_UTF8,), [7, 7]),
            (1, LATIN1, USER, (QUOTES,), [0, 9]),
            (1, LATIN1, USER, (), [2, 2]),
            (None, None, None, DEEP, [1, 1]),
        ],
        "frames": [([u"app/expr.py", 88, u"parse_expr"], {u"first": 80, u"kind": u"python"})],
        "slices": {
            u"length_ns": 250000000,
            u"ticks": [25, 24],
            u"cpu_ns": [240000000, None],
            u"work": {u"requests": [3, 4]},
            u"run": [0, 0],
        },
        "header": {
            u"clock": u"cpu+wall",
            u"period_ns": 10000000,
            u"started": u"2026-11-20T08:22:11Z",
            u"values": [[u"cpu", u"samples"], [u"wall", u"samples"]],
            u"threads": [[12, MAIN_THREAD], [13, UTF7], [14, LATIN1, 12]],
            u"host": {u"coding": u"coding=utf-16"},
            u"new key": {u"coding: latin-1": [u"coding: latin-1"]},
        },
    },
    "DECIMAL": {
        "stacks": {
            ((u"", 0, u"(no frames)"),): 2.5,
            (): 0.1,
            ((u"a.py", 1, u"f"),): -0.5,
            ((u"a.py", 2, u"g"), (u"a.py", 1, u"f")): 3,
        },
        "samples": [
            (None, None, None, ((u"", 0, u"(no frames)"),), [2.5, 1]),
            (None, None, None, (), [0.1, 2]),
            (None, None, None, ((u"a.py", 1, u"f"),), [-0.5, 3]),
            (None, None, None, ((u"a.py", 2, u"g"), (u"a.py", 1, u"f")), [3, 4]),
        ],
        "frames": [],
        "slices": None,
        "header": {
            u"values": [[u"time", u"seconds", 3], [u"samples", u"count"]],
            u"lines": u"definition",
        },
    },
}


def read(path):
    """What a file says, read as its specification says."""
    head = header(path)
    entries = stacks(path)
    found = {
        "stacks": dict(entries),
        "samples": [],
        "frames": [],
        "slices": None,
        "header": dict((key, value) for key, value in head.items() if key != "empty_stack"),
    }
    labels = [None]
    threads = [None] + [thread[1] for thread in head.get("threads", [])]
    for line in source(path).decode("utf-8").split(u"\n")[1:]:
        kind, _, rest = line.partition(u" ")
        if kind == u"#f":
            frame, end = json.JSONDecoder().raw_decode(rest)
            found["frames"].append((frame, json.loads(rest[end:])))
        elif kind == u"#l":
            number, _, text = rest.partition(u" ")
            assert int(number) == len(labels) - 1, line
            labels.append(tuple(tuple(label) for label in json.loads(text)))
        elif line.startswith(u"# slices "):
            found["slices"] = json.loads(line[len(u"# slices "):])
        elif kind == u"#@":
            words = rest.split(u" ")
            slice, thread, label = (-1 if word == u"-" else int(word) for word in words[:3])
            for word in words[3:]:
                stack, _, values = word.partition(u":")
                found["samples"].append((
                    None if slice < 0 else slice,
                    threads[thread + 1],
                    labels[label + 1],
                    entries[int(stack)][0],
                    [float(value) for value in values.split(u",")],
                ))
    return found


def check(expected, path):
    found = read(path)
    found["samples"].sort(key=repr)
    for part in sorted(expected):
        value = expected[part]
        if part == "samples":
            value = sorted(((a, b, c, d, [float(v) for v in e]) for a, b, c, d, e in value), key=repr)
        if found[part] != value:
            sys.exit("%s: %s are %.2000r\nnot %.2000r" % (path, part, found[part], value))


def plain(expected, path):
    """Writes the stacks; the original Plop has no empty one."""
    empty = ((u"", 0, u"(no frames)"),)
    if empty in expected["stacks"]:
        empty = ((u"", 0, u"((no frames))"),)
    stacks = dict((stack or empty, count) for stack, count in expected["stacks"].items())
    with io.open(path, "w", encoding="utf-8") as file:
        file.write(repr(stacks))


if __name__ == "__main__":
    for file in sys.argv[3:]:
        {"check": check, "plain": plain}[sys.argv[1]](FILES[sys.argv[2]], file)
