# -*- coding: utf-8 -*-
"""Checks that a running viewer of the original Plop serves the same graph for files:
viewer.py ADDRESS (ORIGINAL DIALECT OURS)...

DIALECT is the major version of the Python that wrote the original. The files are those of the
viewer's folder. Runs on Python 2.7 and 3.
"""
import json
import sys
from collections import Counter

try:
    from urllib.parse import quote
    from urllib.request import ProxyHandler, build_opener
except ImportError:
    from urllib import quote
    from urllib2 import ProxyHandler, build_opener

from literal import name


def fetch(address):
    return build_opener(ProxyHandler({})).open(address, timeout=60).read().decode("utf-8")


def graph(address, file, dialect):
    """What the viewer's page draws, its names as text and its parts in no order."""
    data = json.loads(fetch("%s/data?filename=%s" % (address, quote(file))))
    calls = [node["weights"]["calls"] if node["weights"] else 0 for node in data["nodes"]]
    if calls != sorted(calls, reverse=True):
        sys.exit("%s: the heaviest node is not the first" % file)

    def text(value):
        if isinstance(value, list):
            return tuple(map(text, value))
        if isinstance(value, dict):
            return tuple(sorted((key, text(member)) for key, member in value.items()))
        return value if isinstance(value, (int, float)) else name(value, dialect)

    ids = [text(node["id"]) for node in data["nodes"]]
    if len(set(ids)) != len(ids):
        sys.exit("%s: a node is there twice" % file)
    return {
        "nodes": Counter(text(node) for node in data["nodes"]),
        "edges": Counter(
            (ids[edge["source"]], ids[edge["target"]], text(edge["weights"]))
            for edge in data["edges"]
        ),
        "stacks": Counter(
            (tuple(ids[node] for node in stack["nodes"]), text(stack["weights"]))
            for stack in data["stacks"]
        ),
    }


def main(address, arguments):
    listed = fetch(address + "/")
    while arguments:
        original, dialect, ours = arguments[:3]
        arguments = arguments[3:]
        if ours not in listed:
            sys.exit("%s: not on the viewer's list" % ours)
        fetch("%s/view?filename=%s" % (address, quote(ours)))
        expected, found = graph(address, original, dialect), graph(address, ours, "3")
        for part in expected:
            if expected[part] != found[part]:
                missing = list(expected[part] - found[part])[:3]
                added = list(found[part] - expected[part])[:3]
                sys.exit("%s: %s lack %.1000r\nand have %.1000r" % (ours, part, missing, added))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
