"""Functions and files with names that are hard to carry, each using CPU time.

Names of 10,000 letters, of letters from four scripts, with lone surrogates, with line feeds, and
empty; a file of a name of 10,000 letters. Prints the number of names. Usage: odd_names.py [SECONDS]
"""
import sys
import time

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 0.7

NAMES = [
    "n" * 10000,
    "\u00e9t\u00e9",
    "\u65e5\u672c\u8a9e",
    "\U0001d4d0\U0001d4d1",
    "lone \udcff \ud800",
    "line\nfeed;semi colon 7",
    "",
]


def spin(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def make(name, file):
    namespace = {"spin": spin}
    exec(compile("def f(seconds):\n    x = 1; spin(seconds)", file, "exec"), namespace)
    function = namespace["f"]
    changes = {"co_name": name}
    if hasattr(function.__code__, "co_qualname"):
        changes["co_qualname"] = name
    function.__code__ = function.__code__.replace(**changes)
    return function


if __name__ == "__main__":
    for name in NAMES:
        make(name, "names.py")(SECONDS / 8)
    make("in_a_long_file", "f" * 10000)(SECONDS / 8)
    print(len(NAMES))
