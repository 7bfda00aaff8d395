"""What is measured: each case is our command beside another one that does the same work.

In a command, `plop` is the binary under test, `python3` the Python that runs the bench, a name in
`PEERS` (install.py) a program that is installed when a case needs it, and anything else is found on
the PATH. `{input}` is the path of the case's input, `{files}` are the paths in it where it is a folder,
`{other}` is the path of its other input. An input is a name in `INPUTS` (inputs.py), or a recording
under testdata/.
"""

from dataclasses import dataclass, field
from typing import Callable, Optional

import compare


@dataclass
class Target:
    """At most `limit` times the peer's, times the input's size, or plainly that many seconds or bytes."""

    limit: float
    of: str = "peer"  # or "input", "seconds", "bytes"


@dataclass
class Case:
    name: str
    about: str  # what the peer does, and what it does more or less than we do
    input: Optional[str]
    ours: list
    peer: list
    other: Optional[str] = None
    measures: tuple = ("cpu", "rss")  # of cpu, wall, rss, size; size is that of the output
    targets: dict = field(default_factory=dict)  # measure: Target
    keep: bool = False  # write stdout to files, as users would; otherwise it goes to /dev/null
    same: Optional[Callable] = None  # whether two outputs (paths) tell the same; keeps them
    ends: tuple = (0,)  # exit codes that are no failure of our command
    launches: int = 1  # launches that make one run, for commands too short to be timed alone


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

# -symbolize=none: without it, pprof looks for the binaries that a profile names.
PPROF = ["pprof", "-symbolize=none"]
DIFF = ["plop", "-j", "2", "diff", "{input}", "{other}"]
# Whether something grew is not what is measured.
VERDICTS = (0, 1, 3)
FLAMEGRAPH = ["inferno-flamegraph", "--quiet", "--minwidth", "0.1", "{input}"]
WRITTEN = ("cpu", "rss", "size")
# Fractions of what the peers take when their work is done by a program of its own.
IN_NODE = {"cpu": Target(1 / 25), "rss": Target(1 / 10)}


def to(form):
    return ["plop", "-j", "1", "convert", "-f", form, "{input}"]


CASES = [
    Case(
        "read .plop",
        "Python's ast.literal_eval of the file, then the count of stacks and their sum",
        input="plop-v1",
        ours=INFO,
        peer=["python3", "-c", LITERAL_EVAL, "{input}"],
        targets={"cpu": Target(1 / 100), "rss": Target(2.5, "input")},
        same=compare.same_totals,
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
        same=compare.same_lines,
    ),
    Case(
        "convert folded, few stacks",
        "inferno-collapse-recursive as above",
        input="few",
        ours=CONVERT,
        peer=COLLAPSE,
        same=compare.same_lines,
    ),
    Case(
        "convert folded over Perl",
        "a line of Perl that sums equal stacks in a hash and writes them sorted",
        input="unique",
        ours=CONVERT,
        peer=["perl", "-ne", SUM_IN_PERL, "{input}"],
        same=compare.same_lines,
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
        same=compare.same_bytes,
    ),
    Case(
        "two threads over one, few stacks",
        "as above",
        input="few",
        ours=CONVERT_2,
        peer=CONVERT,
        measures=("wall", "cpu", "rss"),
        same=compare.same_bytes,
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
    Case(
        "pprof to pprof, unique stacks",
        "pprof -proto: reads and checks, and writes every sample as it was",
        input="pprof-unique",
        ours=to("pprof"),
        peer=[*PPROF, "-proto", "{input}"],
        measures=WRITTEN,
        targets={"cpu": Target(1 / 2), "rss": Target(1), "size": Target(1.02)},
        same=compare.same_pprof,
    ),
    Case(
        "pprof to pprof, unrelated stacks",
        "as above, where stacks have 35 frames of their own instead of 7",
        input="pprof-unrelated",
        ours=to("pprof"),
        peer=[*PPROF, "-proto", "{input}"],
        measures=WRITTEN,
        targets={"cpu": Target(1 / 2), "rss": Target(1), "size": Target(1.02)},
        same=compare.same_pprof,
    ),
    Case(
        "pprof to pprof, few stacks",
        "as above: it does not sum equal stacks of one file",
        input="pprof-few",
        ours=to("pprof"),
        peer=[*PPROF, "-proto", "{input}"],
        measures=WRITTEN,
        targets={"cpu": Target(1 / 4), "rss": Target(1), "size": Target(1.02)},
        same=compare.same_pprof,
    ),
    Case(
        "pprof to pprof, a recording",
        "as above, of 3 kB that Go recorded: what starting costs",
        input="testdata/pprof/go-cpu.pprof",
        ours=to("pprof"),
        peer=[*PPROF, "-proto", "{input}"],
        measures=WRITTEN,
        targets={"cpu": Target(1), "rss": Target(1), "size": Target(1.02)},
        same=compare.same_pprof,
        launches=20,
    ),
    Case(
        "merge 100 pprof",
        "pprof -proto of all files: sums equal stacks, several files at a time on as many threads",
        input="pprof-many",
        ours=["plop", "-j", "1", "merge", "-f", "pprof", "{files}"],
        peer=[*PPROF, "-proto", "{files}"],
        measures=WRITTEN,
        targets={"cpu": Target(1 / 5), "rss": Target(1)},
        same=compare.same_pprof,
    ),
    Case(
        "pprof to folded",
        "pprof -traces: a line for each frame, with the function but no file or line, unsorted",
        input="pprof-lines",
        ours=to("folded"),
        peer=[*PPROF, "-traces", "{input}"],
        measures=WRITTEN,
        targets={"cpu": Target(1 / 15), "rss": Target(1)},
        same=compare.same_traces,
    ),
    Case(
        "pprof to folded over writing it",
        "dd of the same lines from a file to a file: what writing the bytes costs (and reading them)",
        input="pprof-lines",
        other="folded-lines",
        ours=to("folded"),
        peer=["dd", "bs=1M", "status=none", "if={other}"],
        measures=("cpu", "wall", "size"),
        targets={"cpu": Target(3)},
        same=compare.same_lines,
    ),
    Case(
        "pprof to speedscope",
        "speedscope in node imports and exports, which writes events instead of samples",
        input="pprof-deep",
        ours=to("speedscope"),
        peer=["speedscope", "export", "{input}"],
        measures=WRITTEN,
        targets=IN_NODE,
        same=compare.same_speedscope,
    ),
    Case(
        "folded to speedscope",
        "as above",
        input="folded-deep",
        ours=to("speedscope"),
        peer=["speedscope", "export", "{input}"],
        measures=WRITTEN,
        targets=IN_NODE,
        same=compare.same_speedscope_of_folded,
    ),
    Case(
        "speedscope to pprof",
        "speedscope in node imports alone, since it cannot write pprof",
        input="speedscope-deep",
        ours=to("pprof"),
        peer=["speedscope", "import", "{input}"],
        targets=IN_NODE,
        same=compare.same_import,
    ),
    Case(
        "folded to svg, unique stacks",
        "inferno-flamegraph with the same least width of a box",
        input="unique",
        ours=to("svg"),
        peer=FLAMEGRAPH,
        measures=WRITTEN,
        targets={"cpu": Target(1), "rss": Target(1)},
    ),
    Case(
        "folded to svg, few stacks",
        "as above",
        input="few",
        ours=to("svg"),
        peer=FLAMEGRAPH,
        measures=WRITTEN,
        targets={"cpu": Target(1), "rss": Target(1)},
    ),
    Case(
        "folded to svg, deep stacks",
        "as above; the stacks share callers, so that more of them are wide enough to be drawn",
        input="folded-deep",
        ours=to("svg"),
        peer=FLAMEGRAPH,
        measures=WRITTEN,
        targets={"cpu": Target(1), "rss": Target(1)},
    ),
    Case(
        "folded to svg, a recording",
        "as above, of 16 kB that py-spy recorded: what starting costs",
        input="testdata/folded/work-native.folded",
        ours=to("svg"),
        peer=FLAMEGRAPH,
        measures=WRITTEN,
        targets={"cpu": Target(1)},
        launches=20,
    ),
    Case(
        "read speedscope",
        "serde_json into plain structs, which neither looks up nor sums a stack; prints the sums",
        input="speedscope-long",
        ours=INFO,
        peer=["speedscope-serde", "{input}"],
        targets={"cpu": Target(1.5), "rss": Target(1)},
        same=compare.same_weights,
    ),
    Case(
        "compare folded, related stacks",
        "inferno-diff-folded of the same two files: reads, sums, writes lines with two columns; it tests nothing",
        input="folded-lines",
        other="folded-lines-after",
        ours=DIFF,
        peer=["inferno-diff-folded", "{input}", "{other}"],
        measures=("cpu", "wall", "rss"),
        targets={"cpu": Target(2), "wall": Target(1)},
        ends=VERDICTS,
    ),
    Case(
        "compare folded, unique stacks",
        "as above, where hardly two stacks share more than three frames",
        input="unique",
        other="unique-after",
        ours=DIFF,
        peer=["inferno-diff-folded", "{input}", "{other}"],
        measures=("cpu", "wall", "rss"),
        targets={"cpu": Target(2), "wall": Target(1)},
        ends=VERDICTS,
    ),
    Case(
        "compare two runs",
        "plop info of one of them: 50,000 nodes and 60 slices each, 999 permutations",
        input="sliced",
        other="sliced-after",
        ours=DIFF,
        peer=["plop", "info", "{input}"],
        measures=("cpu", "wall", "rss"),
        targets={"wall": Target(1, "seconds"), "rss": Target(500e6, "bytes")},
        ends=VERDICTS,
    ),
]
