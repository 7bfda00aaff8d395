"""The profilers that are measured: how each is started, and what its output says.

`words` makes the command line that runs a Python program under the profiler; `weights` reads the output
as {(function, …): weight}, from the root to the leaf, in whatever unit the profiler counts. Where a
profiler sums by function, each "stack" is one function and its weight inclusive.
"""

import ast
import json
import marshal
import os
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# From PyPI; austin-dist 4 needs a newer libc than Debian 12 has.
PACKAGES = ["py-spy==0.4.3", "austin-dist==3.7.0", "pyinstrument==5.1.3", "yappi==1.7.6", "plop==0.4.0",
            "six==1.17.0", "tornado==6.6.1", "django==5.2.19"]


@dataclass
class Profiler:
    name: str
    words: object  # (python, out, program) -> words
    read: object = None  # path -> {stack: weight}
    env: dict = field(default_factory=dict)
    share: float = 1.0  # of the rounds: what takes ten times as long is run less often
    folder: bool = False  # it writes into a folder `profiles` of its own
    inclusive: bool = False


def folded(path):
    found = defaultdict(float)
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            stack, _, weight = line.rstrip("\n").rpartition(" ")
            if stack and weight.lstrip("-").isdigit():
                found[tuple(short(frame) for frame in stack.split(";"))] += int(weight)
    return found


def short(frame):
    """A function's own name, of `function (file:line)`, `Class.function (file)` and the like."""
    name = re.sub(r" \(.*\)$", "", frame)
    return name.rsplit(".", 1)[-1]


def of_plop(value):
    def read(path):
        out = str(path) + ".folded"
        subprocess.run([plop(), "convert", "-q", "--value", value, str(path), "-f", "folded", "-o", out], check=True)
        return folded(out)
    return read


def of_austin(path):
    """`P1;T1;file:function:line;… µs`, or `<idle>`, with lines that begin with # or are empty."""
    found = defaultdict(float)
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("#") or " " not in line:
                continue
            stack, weight = line.rstrip("\n").rsplit(" ", 1)
            frames = [frame.split(":") for frame in stack.split(";")[2:]]
            found[tuple(frame[1] for frame in frames if len(frame) > 1)] += float(weight.split(",")[0])
    return found


def of_original(path):
    found = defaultdict(float)
    for stack, count in ast.literal_eval(Path(path).read_text()).items():
        found[tuple(name for _, _, name in reversed(stack))] += count
    return found


def of_pstats(path):
    with open(path, "rb") as file:
        stats = marshal.load(file)
    found = defaultdict(float)
    for (_, _, name), (_, _, _, cumulative, _) in stats.items():
        found[(short(name),)] += cumulative
    return found


def of_pyinstrument(path):
    found = defaultdict(float)

    def visit(frame, above):
        stack = above + (frame["function"],)
        below = sum(child["time"] for child in frame["children"])
        found[stack] += max(0.0, frame["time"] - below)
        for child in frame["children"]:
            visit(child, stack)

    root = json.loads(Path(path).read_text())["root_frame"]
    if root:
        sys.setrecursionlimit(10000)
        visit(root, ())
    return found


def plop():
    return os.environ["PLOP"]


def ours(name, rate, mode, value=None, options=()):
    def words(python, out, program):
        return [plop(), "record", "-q", "-r", str(rate), "--mode", mode, "-o", f"{out}.plop", *options, "--", python,
                *program]
    return Profiler(name, words, of_plop(value or mode.split("+")[0]))


def py_spy(name, rate, *options):
    def words(python, out, program):
        return [tool(python, "py-spy"), "record", "-r", str(rate), "-f", "raw", "-o", f"{out}.folded", *options,
                "--", python, *program]
    return Profiler(name, words, folded)


def austin(name, interval, *options):
    def words(python, out, program):
        return [tool(python, "austin"), "-i", interval, "-o", f"{out}.austin", *options, python, *program]
    return Profiler(name, words, of_austin)


def original(name, interval, mode):
    def words(python, out, program):
        return [python, "-m", "plop.collector", "--mode", mode, "--interval", str(interval), *program]
    return Profiler(name, words, of_original, folder=True)


def pyinstrument(name, interval):
    def words(python, out, program):
        return [python, "-m", "pyinstrument", "-i", str(interval), "-r", "json", "-o", f"{out}.json", *program]
    return Profiler(name, words, of_pyinstrument, share=1 / 3)


def yappi(name, clock):
    def words(python, out, program):
        return [python, "-m", "yappi", "-c", clock, "-f", "pstat", "-o", f"{out}.pstat", *program]
    return Profiler(name, words, of_pstats, share=1 / 6, inclusive=True)


def cprofile():
    def words(python, out, program):
        return [python, "-m", "cProfile", "-o", f"{out}.pstat", *program]
    return Profiler("cProfile", words, of_pstats, share=1 / 3, inclusive=True)


def none(name):
    return Profiler(name, lambda python, out, program: [python, *program])


def tool(python, name):
    return str(Path(python).parent / name)


ENDINGS = {folded: "folded", of_austin: "austin", of_pyinstrument: "json", of_pstats: "pstat"}


def output(profiler, out):
    """The file that a profiler has written."""
    if profiler.folder:
        return next(Path(f"{out}-folder").glob("profiles/*"))
    return Path(f"{out}.{ENDINGS.get(profiler.read, 'plop')}")


def inclusive(weights, names):
    """The weight of each of the named functions, wherever it stands on a stack."""
    found = dict.fromkeys(names, 0.0)
    for stack, weight in weights.items():
        for name in set(stack) & found.keys():
            found[name] += weight
    return found
