"""A shop as a service: three kinds of requests, answered one after the other for as long as it is told.

As before.py, but that a discount has 36 steps instead of 24.

Usage: python slower.py [SECONDS]
"""
import hashlib
import json
import random
import re
import sys
import time

GOODS = [{"id": n, "name": "thing %d" % n, "tags": ["t%d" % (n % k) for k in (3, 5, 7)]} for n in range(120)]
WORD = re.compile(r"[a-z]+|\d+")


def tokens(text):
    return WORD.findall(text.lower())


def score(good, wanted):
    found = 0
    for word in tokens(good["name"]) + good["tags"]:
        if word in wanted:
            found += 1
    return found


def search(request):
    wanted = set(tokens(request["query"]))
    ranked = sorted(((score(good, wanted), good["id"]) for good in GOODS), reverse=True)
    return [GOODS[n] for found, n in ranked[:10]]


def discount(total):
    rate = 0
    for step in range(36):
        if total > step * 40:
            rate += step % 3
    return rate


def price(basket):
    total = 0
    for good, count in basket:
        total += (good * 37 % 101 + 1) * count
        total -= discount(total) * count // 100
    return total


def cart(request):
    basket = [((request["n"] * n) % 120, n % 4 + 1) for n in range(30)]
    return {"total": price(basket), "lines": len(basket)}


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def row(good):
    return "<tr><td>%s</td><td>%s</td></tr>" % (escape(good["name"]), escape(" ".join(good["tags"])))


def page(request):
    rows = [row(good) for good in GOODS[request["n"] % 60:][:50]]
    return "<table>%s</table>" % "".join(rows)


def encode(answer):
    text = json.dumps(answer)
    return text, hashlib.sha256(text.encode()).hexdigest()


HANDLERS = {"search": search, "cart": cart, "page": page}


def handle(request):
    return encode(HANDLERS[request["path"]](request))


def requests(seed):
    chance = random.Random(seed)
    while True:
        yield {
            "path": chance.choices(["search", "cart", "page"], [2, 5, 3])[0],
            "query": "Thing %d t%d" % (chance.randrange(120), chance.randrange(7)),
            "n": chance.randrange(1000),
        }


def serve(seconds):
    end = time.time() + seconds
    for count, request in enumerate(requests(time.time_ns())):
        handle(request)
        if time.time() > end:
            return count


if __name__ == "__main__":
    serve(float(sys.argv[1]) if len(sys.argv) > 1 else 30)
