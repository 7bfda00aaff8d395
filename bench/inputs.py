"""The inputs of the cases: seeded, so that everyone measures the same bytes.

Each function of `INPUTS` writes one input to a path: a file, or a folder of files. What its size
counts, bytes or samples, is said there. Nothing here measures.
"""

import json
import random
from collections import Counter

import pprof

MB = 1_000_000
FRAMES = 5_000
DEPTH = 30

VERBS = "parse handle load render compute read write".split()
THINGS = "request row item node page".split()
PARTS = "app core http db json util render auth cache worker".split()


def folded_unique(path, size, seed=None):
    """Stacks that share three frames at the root and then go their own ways: hardly two are equal."""
    rng = random.Random(1)
    texts = [f"{name} (srv/{path}:{line})" for name, path, line in frames(rng)]
    rng = rng if seed is None else random.Random(seed)
    with text(path) as file:
        while size > 0:
            root = [texts[0], texts[1 + rng.randrange(20)], texts[21 + rng.randrange(60)]]
            size -= file.write(folded_line(root + stack(rng, texts[81:], DEPTH - 3), rng))


def folded_unique_after(path, size):
    """Another run of the same: other stacks of the same functions."""
    folded_unique(path, size, seed=11)


def folded_few(path, size):
    """The same 500 stacks again and again, in no order."""
    rng = random.Random(2)
    texts = [f"{name} (srv/{path}:{line})" for name, path, line in frames(rng)]
    stacks = [stack(rng, texts, DEPTH) for _ in range(500)]
    with text(path) as file:
        while size > 0:
            size -= file.write(folded_line(rng.choice(stacks), rng))


def plop_v1(path, size):
    """A dictionary from tuples of frames, leaf first, to counts, as the original Plop writes it."""
    rng = random.Random(3)
    known = [("/srv/" + path, line, name) for name, path, line in frames(rng)]
    counts = {}
    while size > 0:
        leaf_first = tuple(stack(rng, known[1:], DEPTH - 1) + known[:1])
        counts[leaf_first] = rng.randrange(1, 50)
        size -= len(repr(leaf_first)) + len(": 25, ")
    with text(path) as file:
        file.write(repr(counts))


def pprof_unique(path, samples):
    """Every sample its own stack of 30 to 60 frames."""
    rng = random.Random(4)
    program = Program(rng, go_function)
    write_pprof(path, program, program.stacks(rng, samples, 30, 60), rng)


def pprof_unrelated(path, samples):
    """The same with stacks that share hardly anything, far less than those of recordings."""
    rng = random.Random(4)
    program = Program(rng, go_function)
    write_pprof(path, program, program.unrelated(rng, samples, 30, 60), rng)


def pprof_few(path, samples):
    """2,000 such stacks again and again, in no order: what a writer that does not sum leaves."""
    rng = random.Random(5)
    program = Program(rng, go_function)
    stacks = program.stacks(rng, min(2_000, samples // 10), 30, 60)
    write_pprof(path, program, rng.choices(stacks, k=samples), rng)


def pprof_many(path, files):
    """Profiles of 10,000 samples of one program: half of the stacks are in every file, the others are
    some of 45,000. Locations are numbered anew in each file, as every process does it."""
    rng = random.Random(6)
    program = Program(rng, go_function)
    hot, cold = program.stacks(rng, 5_000, 30, 60), program.stacks(rng, 45_000, 30, 60)
    path.mkdir()
    for n in range(files):
        stacks = hot + rng.sample(cold, 5_000)
        rng.shuffle(stacks)
        write_pprof(path / f"{n:03}.pb.gz", program, stacks, rng, rng.sample(range(len(program.sites)), len(program.sites)))


def pprof_lines(path, samples):
    """Unique stacks that make lines of 1 kB as folded stacks."""
    program, stacks, rng = stacks_of_lines(samples)
    write_pprof(path, program, stacks, rng, values=[("samples", "count")])


def folded_lines(path, samples):
    """What `pprof_lines` is as folded stacks."""
    program, stacks, rng = stacks_of_lines(samples)
    write_folded(path, program, stacks, rng)


def folded_lines_after(path, samples):
    """Another run of the same: other counts, and a tenth of the stacks did not come."""
    program, stacks, _ = stacks_of_lines(samples)
    rng = random.Random(12)
    write_folded(path, program, [stack for stack in stacks if rng.random() < 0.9], rng)


def sliced_before(path, samples):
    """A run in 60 slices: some 50,000 nodes in the tree of its stacks, a few of them with most samples."""
    rng = random.Random(13)
    program = Program(rng, python_function)
    stacks = program.stacks(rng, samples // 46, 20, 40)
    write_sliced(path, program, stacks, samples, random.Random(14))


def sliced_after(path, samples):
    """Another run of the same."""
    rng = random.Random(13)
    program = Program(rng, python_function)
    stacks = program.stacks(rng, samples // 46, 20, 40)
    write_sliced(path, program, stacks, samples, random.Random(15))


def stacks_of_lines(samples):
    rng = random.Random(7)
    program = Program(rng, python_function)
    return program, program.stacks(rng, samples, 20, 26), rng


def pprof_deep(path, samples):
    """The stacks of `folded_deep` and `speedscope_deep`, with one value as speedscope reads one."""
    program, stacks, rng = deep_stacks(samples)
    write_pprof(path, program, stacks, rng, values=[("cpu", "nanoseconds")])


def folded_deep(path, samples):
    program, stacks, rng = deep_stacks(samples)
    write_folded(path, program, stacks, rng)


def speedscope_deep(path, samples):
    program, stacks, _ = deep_stacks(samples)
    lists = ["[" + ",".join(map(str, reversed(stack))) + "]" for stack in stacks]
    write_speedscope(path, program, [("MainThread", lists)])


def deep_stacks(samples):
    rng = random.Random(8)
    program = Program(rng, go_function)
    return program, program.stacks(rng, samples, 30, 60), rng


def speedscope_long(path, samples):
    """Eight threads of a long recording as py-spy writes it: 30,000 different stacks, every fifth
    sample the one before it again."""
    rng = random.Random(9)
    program = Program(rng, python_function, functions=1_500)
    known = ["[" + ",".join(map(str, reversed(stack))) + "]" for stack in program.stacks(rng, 30_000, 18, 34)]
    threads = []
    for n in range(8):
        lists = rng.choices(known, k=samples // 8)
        for at in range(1, len(lists), 5):
            lists[at] = lists[at - 1]
        threads.append((f'Thread {4100 + n} "worker-{n}"', lists))
    write_speedscope(path, program, threads)


class Program:
    """Functions that call each other. A site is a line of a function that calls or that runs itself;
    frames, and the locations of pprof, are sites."""

    def __init__(self, rng, function, functions=FRAMES):
        self.functions = [function(rng, n) for n in range(functions)]
        self.sites = []  # (function, line)
        self.calls = []  # for each function (site, function called) for each line that calls
        self.ends = []  # for each function the sites that call nothing
        for n, (_, _, first) in enumerate(self.functions):
            count = rng.randrange(2, 6)
            lines = sorted(rng.sample(range(first + 1, first + 60), count + 2))
            sites = range(len(self.sites), len(self.sites) + len(lines))
            self.sites.extend((n, line) for line in lines)
            self.calls.append([(site, rng.randrange(functions)) for site in sites[:count]])
            self.ends.append(sites[count:])

    def stacks(self, rng, count, least, most):
        """Different stacks, leaf first, of a tree like those of recordings: most go on from a caller of an
        earlier one and have some seven frames of their own, the others begin at the root."""
        found, order = {}, []
        while len(found) < count:
            walk, at, depth = [], 0, rng.randrange(least, most + 1)
            if order and rng.random() > 0.02:
                earlier = rng.choice(order)
                kept = max(1, len(earlier) - 1 - int(rng.expovariate(1 / 6)))
                walk, at = list(earlier[:kept]), self.sites[earlier[kept]][0]
                depth = min(max(least, kept + 1 + int(rng.expovariate(1 / 6))), most)
            walk = self.walk(rng, walk, at, depth)
            if walk not in found:
                found[walk] = None
                order.append(walk)
        return [walk[::-1] for walk in order]

    def unrelated(self, rng, count, least, most):
        """Different stacks that all begin at the root: they part after some ten frames."""
        found = {}
        while len(found) < count:
            found[self.walk(rng, [], 0, rng.randrange(least, most + 1))] = None
        return [walk[::-1] for walk in found]

    def walk(self, rng, walk, at, depth):
        """Goes on from a function until there are so many frames, and prefers the first calls."""
        while len(walk) < depth - 1:
            known = self.calls[at]
            site, at = known[int(rng.random() ** 1.5 * len(known))]
            walk.append(site)
        walk.append(self.ends[at][rng.random() < 0.3])
        return tuple(walk)

    def frame(self, site):
        function, line = self.sites[site]
        name, path, _ = self.functions[function]
        return name, path, line


def go_function(rng, n):
    package = f"{rng.choice(PARTS)}/{rng.choice(PARTS)}{n % 40}"
    thing = rng.choice(THINGS)
    name = f"example.com/shop/{package}.(*{thing.title()}).{rng.choice(VERBS).title()}{n}"
    return name, f"/srv/shop/{package}/{thing}.go", rng.randrange(10, 900)


def python_function(rng, n):
    path = f"shop/{rng.choice(PARTS)}/{rng.choice(PARTS)}_{n % 50}.py"
    return f"{rng.choice(VERBS)}_{rng.choice(THINGS)}_{n}", path, rng.randrange(10, 900)


def write_pprof(path, program, stacks, rng, order=None, values=(("samples", "count"), ("cpu", "nanoseconds"))):
    """`order` is the order of the locations in the file, and so their numbers."""
    order = order or range(len(program.sites))
    ids, locations = [b""] * len(order), []
    for n, site in enumerate(order, 1):
        ids[site] = pprof.varint(n)
        locations.append(pprof.location(n, pprof.START + 64 * site, *program.sites[site]))
    counts = [rng.randrange(1, 10) for _ in stacks]
    scales = [10_000_000 if unit == "nanoseconds" else 1 for _, unit in values]
    samples = ((b"".join(map(ids.__getitem__, stack)), [count * scale for scale in scales])
               for stack, count in zip(stacks, counts))
    with open(path, "wb") as file:
        pprof.write(file, pprof.Profile(values, program.functions, locations, samples))


def write_folded(path, program, stacks, rng):
    """Counts come from `rng` as in `write_pprof`."""
    texts = ["{} ({}:{})".format(*program.frame(site)) for site in range(len(program.sites))]
    with text(path) as file:
        for stack in stacks:
            file.write(f"{';'.join(map(texts.__getitem__, reversed(stack)))} {rng.randrange(1, 10)}\n")


def write_sliced(path, program, stacks, samples, rng, slices=60):
    """A `.plop` file with samples drawn by chance, the stack at place n as often as n to the power of -0.8."""
    weights = [(n + 1) ** -0.8 for n in range(len(stacks))]
    drawn = [Counter(rng.choices(range(len(stacks)), weights, k=samples // slices)) for _ in range(slices)]
    totals = sum(drawn, Counter())
    order = sorted(totals)
    place = {n: at for at, n in enumerate(order)}
    with text(path) as file:
        file.write('# plop 2 {"values":[["cpu","samples"]]}\n{\n')
        for n in order:
            leaf_first = tuple((path, line, name) for name, path, line in map(program.frame, stacks[n]))
            file.write(f"{leaf_first!r}: {totals[n]},\n")
        file.write(f'}}\n# slices {{"length_ns":500000000,"ticks":{json.dumps([samples // slices] * slices)}}}\n')
        for number, counts in enumerate(drawn):
            file.write(f"#@ {number} - - {' '.join(f'{place[n]}:{counts[n]}' for n in sorted(counts))}\n")


def write_speedscope(path, program, threads):
    """As py-spy writes it: profiles before frames, a `col` of null, a hundredth of a second a sample."""
    shared = [dict(zip(("name", "file", "line", "col"), (*program.frame(site), None)))
              for site in range(len(program.sites))]
    with text(path) as file:
        file.write('{"$schema":"https://www.speedscope.app/file-format-schema.json","profiles":[')
        for n, (name, lists) in enumerate(threads):
            file.write(f'{"," if n else ""}{{"type":"sampled","name":{json.dumps(name)},"unit":"seconds",'
                       f'"startValue":0.0,"endValue":{len(lists) / 100},"samples":[')
            file.write(",".join(lists))
            file.write('],"weights":[' + ",".join(["0.01"] * len(lists)) + "]}")
        file.write('],"shared":{"frames":' + json.dumps(shared, separators=(",", ":")))
        file.write('},"activeProfileIndex":null,"exporter":"py-spy@0.4.3","name":"py-spy profile"}')


def frames(rng):
    """Distinct frames as (function, file, line)."""
    for n in range(FRAMES):
        name = f"{rng.choice(VERBS)}_{rng.choice(THINGS)}_{n}"
        yield name, f"{rng.choice(PARTS)}/{rng.choice(PARTS)}_{n % 50}.py", rng.randrange(1, 900)


def stack(rng, known, depth):
    """Frames without direct recursion, which one of the peers would fold away."""
    picked = rng.choices(known, k=depth)
    while any(a == b for a, b in zip(picked, picked[1:])):
        picked = rng.choices(known, k=depth)
    return picked


def folded_line(texts, rng):
    return f"{';'.join(texts)} {rng.randrange(1, 10)}\n"


def text(path):
    return open(path, "w", encoding="utf-8", newline="\n")


# Name: how to write it, its size, its size with --small, its ending. Sizes are about so many bytes
# for the first three, files for `pprof-many`, a folder, and samples for the others.
INPUTS = {
    "unique": (folded_unique, 180 * MB, 4 * MB, "folded"),
    "unique-after": (folded_unique_after, 180 * MB, 4 * MB, "folded"),
    "few": (folded_few, 180 * MB, 4 * MB, "folded"),
    "plop-v1": (plop_v1, 47 * MB, 1 * MB, "plop"),
    "pprof-unique": (pprof_unique, 200_000, 4_000, "pb.gz"),
    "pprof-unrelated": (pprof_unrelated, 200_000, 4_000, "pb.gz"),
    "pprof-few": (pprof_few, 200_000, 4_000, "pb.gz"),
    "pprof-many": (pprof_many, 100, 3, "folder"),
    "pprof-lines": (pprof_lines, 200_000, 4_000, "pb.gz"),
    "folded-lines": (folded_lines, 200_000, 4_000, "folded"),
    "folded-lines-after": (folded_lines_after, 200_000, 4_000, "folded"),
    "sliced": (sliced_before, 300_000, 12_000, "plop"),
    "sliced-after": (sliced_after, 300_000, 12_000, "plop"),
    "pprof-deep": (pprof_deep, 30_000, 1_000, "pb.gz"),
    "folded-deep": (folded_deep, 30_000, 1_000, "folded"),
    "speedscope-deep": (speedscope_deep, 30_000, 1_000, "speedscope.json"),
    "speedscope-long": (speedscope_long, 890_000, 20_000, "speedscope.json"),
}
