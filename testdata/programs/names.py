# -*- coding: utf-8 -*-
"""A program whose file and function names need quoting.

Every pair in NAMES becomes a function with that name, compiled in a pretended
file of that name: quotes of both kinds, a semicolon, spaces, brackets, a
backslash, a tab, a line feed, non-ASCII letters. With the argument "all" it adds
names that cannot be written as plain UTF-8 text or that repr() writes as an
escape (a byte that is not UTF-8, a no-break space). Each function runs for the
same CPU time. Runs under Python 2.7 (where names are bytes) and 3.
Usage: names.py [SECONDS [all]]
"""
import sys
import time

PYTHON2 = sys.version_info[0] == 2
cpu_time = getattr(time, "process_time", None) or time.clock

NAMES = [
    ("plain.py", "plain"),
    ("it's.py", "it's"),
    ('say "hi".py', 'say "hi"'),
    ("it's \"q\".py", "both ' and \""),
    ("a b;c.py", "d;e f"),
    ("with (1).py", "call (x.py:7)"),
    ("C:\\new\\table.py", "back\\slash"),
    ("tab\there.py", "tab\tname"),
    ("line\nfeed.py", "line\nname"),
    ("modé.py", "été"),
    ("日本語.py", "関数"),
    ("😀.py", "smile_😀"),
    ("count 12", "ends in 34"),
    ("<string>", "<lambda>"),
]
# A byte that is not UTF-8 in a file name is itself in Python 2 and a lone
# surrogate in Python 3.
BAD_BYTE, NO_BREAK = ("\xff", "\xc2\xa0") if PYTHON2 else ("\udcff", "\xa0")
MORE_NAMES = [
    ("not utf-8 " + BAD_BYTE + ".py", "bad_byte"),
    ("no-break" + NO_BREAK + "space.py", "no_break_space"),
]


def renamed(code, name):
    """The code object `code` under another function name."""
    if hasattr(code, "co_qualname"):
        return code.replace(co_name=name, co_qualname=name)
    if hasattr(code, "replace"):
        return code.replace(co_name=name)
    fields = [
        "argcount", "kwonlyargcount", "nlocals", "stacksize", "flags", "code",
        "consts", "names", "varnames", "filename", "name", "firstlineno",
        "lnotab", "freevars", "cellvars",
    ]
    if PYTHON2:
        fields.remove("kwonlyargcount")
    values = [name if f == "name" else getattr(code, "co_" + f) for f in fields]
    return type(code)(*values)


def build(filename, name):
    text = "def spin(end):\n    while cpu_time() < end:\n        pass\n"
    names = {"cpu_time": cpu_time}
    exec(compile(text, filename, "exec"), names)
    code = renamed(names["spin"].__code__, name)
    return type(main)(code, names)


def main(seconds, names):
    unit = float(seconds) / len(names)
    end = cpu_time()
    for filename, name in names:
        end += unit
        build(filename, name)(end)


if __name__ == "__main__":
    wanted = list(NAMES)
    if "all" in sys.argv[2:]:
        wanted += MORE_NAMES
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0, wanted)
