"""What is measured: each case is our command beside another one that does the same work.

In a command, `plop` is the binary under test, `python3` the Python that runs the bench, a name in
`PEERS` a program that is installed when a case needs it, and anything else is found on the PATH.
`{input}` is the path of the case's input.
"""

import json
from dataclasses import dataclass, field
from typing import Callable, Optional


@dataclass
class Target:
    """At most `limit` times the peer's, times the input's size, or plainly that many seconds."""

    limit: float
    of: str = "peer"  # or "input", or "seconds"


@dataclass
class Case:
    name: str
    about: str  # what the peer does, and what it does more or less than we do
    input: Optional[str]
    ours: list
    peer: list
    measures: tuple = ("cpu", "rss")  # of cpu, wall, rss
    targets: dict = field(default_factory=dict)  # measure: Target
    keep: bool = False  # write stdout to files, as users would; otherwise it goes to /dev/null
    same: Optional[Callable] = None  # whether two outputs (paths) tell the same; keeps them
    launches: int = 1  # launches that make one run, for commands too short to be timed alone


@dataclass
class Crate:
    """A peer from crates.io."""

    name: str
    version: str


INFERNO = Crate("inferno", "0.12.8")
PEERS = {"inferno-collapse-recursive": INFERNO, "inferno-diff-folded": INFERNO}


def same_bytes(ours, peer):
    with open(ours, "rb") as a, open(peer, "rb") as b:
        return a.read() == b.read()


def same_lines(ours, peer):
    """The same lines in any order."""
    with open(ours, "rb") as a, open(peer, "rb") as b:
        return sorted(a) == sorted(b)


def same_totals(ours, peer):
    """`plop info --json` against a peer that prints how many stacks there are, and their total."""
    with open(ours) as a, open(peer) as b:
        told = json.load(a)
        return [told["stacks"], told["values"][0]["total"]] == [int(word) for word in b.read().split()]


INFO = ["plop", "-j", "1", "info", "--json", "{input}"]
CONVERT = ["plop", "-j", "1", "convert", "-f", "folded", "{input}"]
CONVERT_2 = ["plop", "-j", "2", "convert", "-f", "folded", "{input}"]
LITERAL_EVAL = """
import ast, sys
with open(sys.argv[1], encoding="utf-8") as file:
    counts = ast.literal_eval(file.read())
print(len(counts), sum(counts.values()))
"""
SUM_IN_PERL = r"""
/^(.*) (\d+)$/ and $sum{$1} += $2; END { print "$_ $sum{$_}\n" for sort keys %sum }
"""
# Reads lines, sums equal stacks, writes lines with a second column of zeros, in no order.
DIFF_WITH_NOTHING = ["inferno-diff-folded", "{input}", "/dev/null"]
# Reads lines, looks for a frame that calls itself (there is none), sums, sorts, writes lines.
COLLAPSE = ["inferno-collapse-recursive", "-n", "1", "{input}"]

CASES = [
    Case(
        "read .plop",
        "Python's ast.literal_eval of the file, then the count of stacks and their sum",
        input="plop-v1",
        ours=INFO,
        peer=["python3", "-c", LITERAL_EVAL, "{input}"],
        targets={"cpu": Target(1 / 100), "rss": Target(2.5, "input")},
        same=same_totals,
    ),
    Case(
        "read folded, unique stacks",
        "inferno-diff-folded with an empty second file: reads and sums, and writes to /dev/null",
        input="unique",
        ours=INFO,
        peer=DIFF_WITH_NOTHING,
        targets={"cpu": Target(0.7, "seconds"), "rss": Target(2.5, "input")},
    ),
    Case(
        "read folded, few stacks",
        "inferno-diff-folded as above; it writes 500 lines",
        input="few",
        ours=INFO,
        peer=DIFF_WITH_NOTHING,
    ),
    Case(
        "read folded over cat",
        "cat to /dev/null: what bringing the bytes into memory costs, a floor rather than a peer",
        input="unique",
        ours=INFO,
        peer=["cat", "{input}"],
        measures=("cpu",),
    ),
    Case(
        "convert folded, unique stacks",
        "inferno-collapse-recursive on one thread: reads, sums, sorts and writes the same lines",
        input="unique",
        ours=CONVERT,
        peer=COLLAPSE,
        same=same_lines,
    ),
    Case(
        "convert folded, few stacks",
        "inferno-collapse-recursive as above",
        input="few",
        ours=CONVERT,
        peer=COLLAPSE,
        same=same_lines,
    ),
    Case(
        "convert folded over Perl",
        "a line of Perl that sums equal stacks in a hash and writes them sorted",
        input="unique",
        ours=CONVERT,
        peer=["perl", "-ne", SUM_IN_PERL, "{input}"],
        same=same_lines,
    ),
    Case(
        "convert over read, unique stacks",
        "plop info of the same file: below 2, writing costs less than reading",
        input="unique",
        ours=CONVERT,
        peer=INFO,
        targets={"cpu": Target(2)},
        keep=True,
    ),
    Case(
        "two threads over one, unique stacks",
        "plop with -j 1; the outputs are compared byte by byte",
        input="unique",
        ours=CONVERT_2,
        peer=CONVERT,
        measures=("wall", "cpu", "rss"),
        same=same_bytes,
    ),
    Case(
        "two threads over one, few stacks",
        "as above",
        input="few",
        ours=CONVERT_2,
        peer=CONVERT,
        measures=("wall", "cpu", "rss"),
        same=same_bytes,
    ),
    Case(
        "start",
        "inferno-diff-folded of two empty files, since it has no --version",
        input=None,
        ours=["plop", "--version"],
        peer=["inferno-diff-folded", "/dev/null", "/dev/null"],
        measures=("cpu", "wall"),
        launches=50,
    ),
    Case(
        "start over true",
        "true: what any process costs, a floor rather than a peer",
        input=None,
        ours=["plop", "--version"],
        peer=["true"],
        measures=("cpu", "wall"),
        launches=50,
    ),
]
