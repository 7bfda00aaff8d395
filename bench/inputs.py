"""The inputs of the cases: seeded, so that everyone measures the same bytes.

Each function writes one input of about `size` bytes to an open text file. Nothing here measures.
"""

import random

MB = 1_000_000
FRAMES = 5_000
DEPTH = 30

VERBS = "parse handle load render compute read write".split()
THINGS = "request row item node page".split()
PARTS = "app core http db json util render auth cache worker".split()


def folded_unique(file, size):
    """Stacks that share three frames at the root and then go their own ways: hardly two are equal."""
    rng = random.Random(1)
    texts = [f"{name} (srv/{path}:{line})" for name, path, line in frames(rng)]
    while size > 0:
        root = [texts[0], texts[1 + rng.randrange(20)], texts[21 + rng.randrange(60)]]
        size -= file.write(folded_line(root + stack(rng, texts[81:], DEPTH - 3), rng))


def folded_few(file, size):
    """The same 500 stacks again and again, in no order."""
    rng = random.Random(2)
    texts = [f"{name} (srv/{path}:{line})" for name, path, line in frames(rng)]
    stacks = [stack(rng, texts, DEPTH) for _ in range(500)]
    while size > 0:
        size -= file.write(folded_line(rng.choice(stacks), rng))


def plop_v1(file, size):
    """A dictionary from tuples of frames, leaf first, to counts, as the original Plop writes it."""
    rng = random.Random(3)
    known = [("/srv/" + path, line, name) for name, path, line in frames(rng)]
    counts = {}
    while size > 0:
        leaf_first = tuple(stack(rng, known[1:], DEPTH - 1) + known[:1])
        counts[leaf_first] = rng.randrange(1, 50)
        size -= len(repr(leaf_first)) + len(": 25, ")
    file.write(repr(counts))


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


# Name: how to write it, its size, its size with --small, its ending.
INPUTS = {
    "unique": (folded_unique, 180 * MB, 4 * MB, "folded"),
    "few": (folded_few, 180 * MB, 4 * MB, "folded"),
    "plop-v1": (plop_v1, 47 * MB, 1 * MB, "plop"),
}
