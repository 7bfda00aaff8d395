# -*- coding: utf-8 -*-
"""Checks that files hold the same dictionary: same.py (ORIGINAL DIALECT OURS)...

DIALECT is the major version of the Python that wrote the original. Runs on Python 2.7 and 3.
"""
import re
import sys
from collections import Counter

from literal import PYTHON2, items, name

# Bytes that are not UTF-8 are written as escapes that mean nothing in a str of Python 2.
ESCAPED = re.compile(u"[\ud800-\udfff]|\\\\u[0-9a-f]{4}")
# So are these in an original that Python 3 wrote; we write them as they are.
UNSEEN = re.compile(u"[\x80-\xa0\xad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]")


def comparable(text, written_by):
    lost = ESCAPED.search(text) or written_by == "3" and UNSEEN.search(text)
    return None if PYTHON2 and lost else text


def entries(path, dialect, written_by):
    return Counter(
        (
            tuple(
                (comparable(name(file, dialect), written_by), line, comparable(name(function, dialect), written_by))
                for file, line, function in stack
            ),
            count,
            isinstance(count, float),
        )
        for stack, count in items(path)
    )


def main(arguments):
    while arguments:
        original, dialect, ours = arguments[:3]
        arguments = arguments[3:]
        expected, found = entries(original, dialect, dialect), entries(ours, "3", dialect)
        if expected != found:
            missing, added = list(expected - found)[:3], list(found - expected)[:3]
            sys.exit("%s: lacks %r\nand has %r" % (ours, missing, added))
        counts = [count for _, count in items(ours)]
        if counts != sorted(counts, reverse=True):
            sys.exit("%s: the heaviest stack is not the first" % ours)


if __name__ == "__main__":
    main(sys.argv[1:])
