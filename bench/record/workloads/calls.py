"""Fixed work 15 to 20 calls deep: JSON, regular expressions, sorting, methods, recursion.

About as many calls a second as an ordinary program makes, and no waiting. Usage: calls.py ROUNDS
"""
import json
import re
import sys

WORD = re.compile(r"(\w+)=(\d+)")


class Node:
    def __init__(self, depth, breadth):
        self.value = depth * 7919 % 101
        self.children = [Node(depth - 1, breadth) for _ in range(breadth)] if depth else []

    def total(self):
        return self.value + sum(child.total() for child in self.children)

    def deepest(self):
        return 1 + max((child.deepest() for child in self.children), default=0)


def parse(text):
    return {key: int(value) for key, value in WORD.findall(text)}


def round_trip(record):
    return json.loads(json.dumps(record, sort_keys=True))


def by_length(words):
    return sorted(words, key=lambda word: (len(word), word[::-1]))


def nest(depth, step):
    return nest(depth - 1, step) if depth else step()


def step():
    tree = Node(4, 3)
    record = {"total": tree.total(), "deepest": tree.deepest(), "words": ["w%d" % n for n in range(60)]}
    again = round_trip(record)
    words = by_length(again["words"])
    return parse(" ".join("%s=%d" % (word, n) for n, word in enumerate(words)))


def main(rounds):
    checked = 0
    for _ in range(rounds):
        checked += len(nest(8, step))
    return checked


if __name__ == "__main__":
    print(main(int(sys.argv[1])))
