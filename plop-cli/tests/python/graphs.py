# -*- coding: utf-8 -*-
"""Checks that the original Plop makes the same graph of files: graphs.py (ORIGINAL DIALECT OURS)...

DIALECT is the major version of the Python that wrote the original. Needs plop 0.4.0.
"""
import sys
from collections import Counter

from plop.callgraph import CallGraph

from literal import name


def graph(path, dialect):
    """The graph that the original Plop loads, its names as text."""
    loaded = CallGraph.load(path)

    def key(node):
        file, line, function = node.id
        return name(file, dialect), line, name(function, dialect)

    def attrs(node):
        return tuple(sorted(
            (attr, value if attr == "lineno" else name(value, dialect))
            for attr, value in node.attrs.items()
        ))

    def weights(of):
        return tuple(sorted(of.weights.items()))

    for node_id, node in loaded.nodes.items():
        assert node_id == node.id
    return {
        "nodes": Counter((key(n), attrs(n), weights(n)) for n in loaded.nodes.values()),
        "edges": Counter((key(e.parent), key(e.child), weights(e)) for e in loaded.edges.values()),
        "stacks": Counter((tuple(map(key, s.nodes)), weights(s)) for s in loaded.stacks),
    }


def main(arguments):
    while arguments:
        original, dialect, ours = arguments[:3]
        arguments = arguments[3:]
        expected, found = graph(original, dialect), graph(ours, "3")
        for part in expected:
            if expected[part] != found[part]:
                missing = list(expected[part] - found[part])[:3]
                added = list(found[part] - expected[part])[:3]
                sys.exit("%s: %s lack %.1000r\nand have %.1000r" % (ours, part, missing, added))


if __name__ == "__main__":
    main(sys.argv[1:])
