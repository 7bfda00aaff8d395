"""Whether the outputs of a case's two commands tell the same, each of which is given as a path.

The comparisons run after the measuring and in a process of their own, so they may take time and
memory. Frames are compared by name where a peer keeps no more.
"""

import json
import re
from collections import defaultdict

import pprof

SECONDS = {"nanoseconds": 1e-9, "microseconds": 1e-6, "milliseconds": 1e-3, "seconds": 1}
PLACE = re.compile(r" \([^()]*:\d+\)(?=;|$)")


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


def same_weights(ours, peer):
    """`plop info --json` against a peer whose lines have the weight of a profile as second word."""
    with open(ours) as a, open(peer) as b:
        told = [json.loads(line)["values"][0]["total"] for line in a]
        return all(map(near, told, (float(line.split()[1]) for line in b))) and len(told) > 0


def same_pprof(ours, peer):
    """Two pprof files: the same value types, the same stacks and for each of them the same values."""
    return pprof.read(ours) == pprof.read(peer)


def same_traces(ours, peer):
    """Folded stacks against what `pprof -traces` prints: the same stacks of names, the same values."""
    return folded_by_name(ours) == traces(peer)


def same_import(ours, peer):
    """A pprof file against a line "WEIGHT UNIT NAME": the same weight of all samples together."""
    kinds, stacks = pprof.read(ours)
    with open(peer) as file:
        weight, unit, _ = file.read().split(None, 2)
    last = len(kinds) - 1
    total = sum(values[last] for values in stacks.values())
    return near(total * SECONDS.get(kinds[last][1], 1), float(weight) * SECONDS.get(unit, 1))


def same_speedscope(ours, peer):
    """Two speedscope files of one profile each: the same stacks of names, the same weights."""
    return near_all(speedscope(ours, lambda frame: frame["name"]), speedscope(peer, lambda frame: frame["name"]))


def same_speedscope_of_folded(ours, peer):
    """The same where the peer has the place of a frame in its name."""

    def text(frame):
        return f"{frame['name']} ({frame['file']}:{frame['line']})" if frame.get("line") else frame["name"]

    return near_all(speedscope(ours, text), speedscope(peer, text))


def folded_by_name(path):
    """{stack: value} of folded stacks. A stack is a hash, good within this process, of names."""
    found = defaultdict(int)
    with open(path, encoding="utf-8") as file:
        for line in file:
            frames, value = line.rsplit(" ", 1)
            found[hash(tuple(PLACE.sub("", frames).split(";")))] += int(value)
    return found


def traces(path):
    """The same of what `pprof -traces` prints: a value and a stack, leaf first, between dashed lines."""
    found = defaultdict(int)
    value, names = None, []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("-----------+"):
                if value is not None:
                    found[hash(tuple(reversed(names)))] += value
                value, names = 0, []
            elif value is not None and names:
                names.append(line.strip())
            elif value is not None:
                word, name = line.split(None, 1)
                value, names = int(word), [name.strip()]
    return found


def speedscope(path, text):
    """{stack: weight} of the only profile in a file, sampled or evented. `text` makes a frame's text."""
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    [profile] = content["profiles"]
    texts = [text(frame) for frame in content["shared"]["frames"]]
    found = defaultdict(float)
    if profile["type"] == "sampled":
        for stack, weight in zip(profile["samples"], profile["weights"]):
            found[hash(tuple([texts[frame] for frame in stack]))] += weight
        return found
    stack, before = [], profile["startValue"]
    for event in profile["events"]:
        if event["at"] > before:
            found[hash(tuple(stack))] += event["at"] - before
            before = event["at"]
        if event["type"] == "O":
            stack.append(texts[event["frame"]])
        else:
            stack.pop()
    return found


def near_all(ours, peer):
    return ours.keys() == peer.keys() and all(near(weight, peer[stack]) for stack, weight in ours.items())


def near(a, b):
    """Equal but for what adding up fractions in another order does."""
    return abs(a - b) <= 1e-6 * max(abs(a), abs(b))
