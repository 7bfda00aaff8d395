# -*- coding: utf-8 -*-
"""Random dictionaries, written by Python's repr.

`differential.py write FOLDER SEED COUNT plain|all` writes N.plop, and what it means to N.json.
`differential.py check FOLDER OURS` compares files of the same names in OURS with the meaning.
`plain` has only what Python 2 and 3 can tell each other. Runs on Python 2.7 and 3.
"""
import io
import json
import os
import random
import re
import sys

from literal import PYTHON2, name, stacks

# What is written as an escape that Python 2 does not know in a str.
SURROGATES = re.compile(u"[\ud800-\udfff]")
# Two bytes that are not UTF-8 could be, together.
PAIR = re.compile(u"([\udc80-\udcff])[\udc80-\udcff]+")
ODD = u"\x7f\x85\xa0\xad\xff\u0378\u180e\u200b\u2028\u2029\u202e\u2066\u3000\ue000\ufeff\ufffd\uffff"


def character(random):
    if random.random() < 0.3:
        return random.choice(u"'\"\\#{}(),:; nxuUNL017" + ODD)
    low, high = random.choice([
        (0, 0x20),
        (0x20, 0x7F),
        (0x7F, 0x100),
        (0x100, 0xD800),
        (0xD800, 0xE000),
        (0x10000, 0x110000),
    ])
    return (b"\\U%08x" % random.randrange(low, high)).decode("unicode-escape")


def text(random, plain):
    """A name as text, and how this Python could hold it."""
    length = random.choice([0, 1, 1, 2, 3, 5, 12])
    text = u"".join(character(random) for _ in range(length))
    if plain:
        text = SURROGATES.sub(u"", text)
    if not PYTHON2:
        text = PAIR.sub(r"\1", text)
        return text, text
    text = SURROGATES.sub(u"", text)
    if random.random() < 0.5:
        return text, text
    held = text.encode("utf-8")
    if not plain and random.random() < 0.3:
        # Of single bytes, Python 3 would escape those up to \xa0, and \xad, as characters.
        held += bytes(bytearray([random.choice([0xA1, 0xC3, 0xE9, 0xFE, 0xFF])]))
    return name(held), held


def frame(random, plain):
    (file, held_file), (function, held_function) = text(random, plain), text(random, plain)
    line = random.choice([0, 1, -1, random.randrange(10000), 2**31, 2**63 - 1, -(2**63)])
    return (file, line, function), (held_file, line, held_function)


def dictionary(random, plain):
    """A dictionary by its meaning, and the text that Python writes."""
    frames = [frame(random, plain) for _ in range(random.randrange(1, 5))]
    meant, held = {}, {}
    for _ in range(random.choice([0, 1, 1, 2, 3, 8])):
        stack = [random.choice(frames) for _ in range(random.choice([0, 1, 1, 2, 3, 30]))]
        key = tuple(frame for frame, _ in stack)
        if key in meant:
            continue
        count = random.choice([0, 1, -1, random.randrange(10**6), -random.randrange(10**12), 2**53 + 1])
        if PYTHON2 and random.random() < 0.3:
            count = long(count)
        meant[key] = held[tuple(frame for _, frame in stack)] = count
    literal = repr(held)
    if held and random.random() < 0.2:
        # Of a stack that stands there twice, Python keeps the last count.
        pairs = [(key, tuple(key)) for key in held]
        twice = random.choice(sorted(pairs, key=repr))[0]
        literal = "%s, %r: 77}" % (literal[:-1], twice)
        held = {tuple((name(f), l, name(n)) for f, l, n in twice): 77}
        meant.update(held)
    return meant, literal


def codes(entries):
    """Entries as JSON has them, their names as numbers: JSON joins surrogates."""
    return [
        [[[list(map(ord, file)), line, list(map(ord, function))] for file, line, function in stack], count]
        for stack, count in entries
    ]


def write(folder, seed, count, kind):
    numbers = random.Random(int(seed))
    for n in range(int(count)):
        meant, literal = dictionary(numbers, kind == "plain")
        with open(os.path.join(folder, "%d.plop" % n), "wb") as file:
            file.write(literal if PYTHON2 else literal.encode("utf-8"))
        with open(os.path.join(folder, "%d.json" % n), "w") as file:
            file.write(json.dumps(codes(meant.items())))


def check(folder, ours):
    names = [file for file in os.listdir(folder) if file.endswith(".json")]
    assert names, "no files in %s" % folder
    for file in names:
        with open(os.path.join(folder, file)) as meant:
            expected = sorted(json.load(meant))
        path = file.replace(".json", ".plop")
        found = stacks(os.path.join(ours, path))
        if sorted(codes(found)) != expected:
            with io.open(os.path.join(folder, path), encoding="utf-8") as literal:
                sys.exit("%r became %r" % (literal.read(), found))


if __name__ == "__main__":
    {"write": write, "check": check}[sys.argv[1]](*sys.argv[2:])
