# -*- coding: utf-8 -*-
"""What a .plop file says to Python, which knows nothing of plop: the value of the literal.

For the scripts beside this one. Runs on Python 2.7 and 3.
"""
import ast
import codecs
import gzip
import json
import re
import sys

PYTHON2 = sys.version_info[0] == 2
MARK = u"# plop 2"
LARGE = 1000000

if PYTHON2:
    # Python 3 has an error handler of this name, which does the same.
    def surrogates(error):
        bad = bytearray(error.object[error.start:error.end])
        return u"".join(unichr(0xDC00 + byte) for byte in bad), error.end

    codecs.register_error("surrogateescape", surrogates)


def source(path):
    """The bytes of a file, inflated if its name ends in .gz."""
    opened = (gzip.open if path.endswith(".gz") else open)(path, "rb")
    with opened:
        return opened.read()


def items(path):
    """The entries of the dictionary in their order in the file.

    The text is read in three ways, which must agree: as literal_eval is commonly called, as text,
    and as the bytes of a source file, where a comment could declare another encoding. A large file
    is read in the common way only.
    """
    data = source(path)
    text = data.decode("utf-8")
    common, other = (data, text) if PYTHON2 else (text, data)
    found = entries(common)
    if len(data) < LARGE and not dict(found) == dict(entries(other)) == ast.literal_eval(common):
        sys.exit("%s: says one thing as text, another as bytes" % path)
    for line in text.split(u"\n", 2)[:2] if text.startswith(MARK) else []:
        if re.search(u"coding[:=]", line):
            sys.exit("%s: looks like the declaration of an encoding: %r" % (path, line))
    return found


def entries(text):
    """What literal_eval finds, in order: before 3.7 a dictionary has none."""
    node = ast.parse(text, mode="eval").body
    if not isinstance(node, ast.Dict):
        sys.exit("not a dictionary: %.80r" % text)
    return [
        (ast.literal_eval(key), ast.literal_eval(value))
        for key, value in zip(node.keys, node.values)
    ]


def name(literal, dialect="3"):
    """The text of a name in a file that Python `dialect` wrote. Bytes that are not UTF-8 become
    surrogates, as they do in Python 3's file names."""
    if PYTHON2:
        return literal if isinstance(literal, type(u"")) else literal.decode("utf-8", "surrogateescape")
    if dialect == "2":
        return literal.encode("latin-1").decode("utf-8", "surrogateescape")
    return literal


def header(path):
    """The JSON of the first line of version 2, which must be ASCII."""
    line = source(path).split(b"\n")[0].decode("ascii")
    if not line.startswith(MARK):
        sys.exit("%s: does not begin with %s" % (path, MARK))
    return json.loads(line[len(MARK):])


def stacks(path):
    """The entries with their names as text, and with () for the stack without frames."""
    empty = header(path).get("empty_stack")
    found = []
    for stack, count in items(path):
        stack = tuple((name(file), line, name(function)) for file, line, function in stack)
        found.append(((), count) if empty and stack == (tuple(empty),) else (stack, count))
    return found
