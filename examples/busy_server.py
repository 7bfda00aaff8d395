#!/usr/bin/env python3
"""A small web server with its own load: something to record.

    plop record -- python3 examples/busy_server.py

Serves a library of made-up books on loopback: `/search?q=WORDS` ranks them with an inverted index,
`/page?book=N` fills a template, `/report` adds up loans by month and answers in JSON, `/cover?book=N`
waits for a store that is not there, as a server waits for a disk or another server. A few clients in
threads ask for these in turn until the time is up; then the server ends and says what it did.
Only the standard library is needed, Python 3.8 or later.
"""

import argparse
import html
import http.client
import json
import math
import random
import string
import sys
import threading
import time
from collections import Counter, defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

SYLLABLES = "ba do fe gi ku la mo ne pi ro su ta ve wo xi yu za".split()
PAGE = string.Template(
    "<!doctype html><title>$title</title><h1>$title</h1><p>by $author, $year</p><p>$text</p>"
    "<ul>$links</ul>"
)


class Library:
    """Books, and what it takes to find them."""

    def __init__(self, count, seed):
        chance = random.Random(seed)
        self.words = sorted({self.make_word(chance) for _ in range(1500)})
        self.books = [self.make_book(chance, number) for number in range(count)]
        self.loans = [
            (chance.randrange(count), chance.randrange(1, 13), chance.randrange(1, 40))
            for _ in range(count * 10)
        ]
        self.index = defaultdict(dict)
        for book in self.books:
            for word, times in Counter(book["text"].split()).items():
                self.index[word][book["number"]] = times

    @staticmethod
    def make_word(chance):
        return "".join(chance.choice(SYLLABLES) for _ in range(chance.randrange(2, 4)))

    def make_book(self, chance, number):
        return {
            "number": number,
            "title": " ".join(chance.choice(self.words) for _ in range(3)).title(),
            "author": chance.choice(self.words).title(),
            "year": chance.randrange(1850, 2020),
            "text": " ".join(chance.choice(self.words) for _ in range(120)),
        }

    def search(self, words):
        """The ten books that fit the words best, by how rare the words are."""
        scores = defaultdict(float)
        for word in words:
            found = self.index.get(word, {})
            rarity = math.log((1 + len(self.books)) / (1 + len(found)))
            for number, times in found.items():
                scores[number] += rarity * (1 + math.log(times))
        best = sorted(scores, key=lambda number: (-scores[number], number))[:10]
        return [(self.books[number], scores[number]) for number in best]

    def report(self):
        """Days on loan by month and by author."""
        months, authors = Counter(), Counter()
        for number, month, days in self.loans:
            months[month] += days
            authors[self.books[number]["author"]] += days
        return {"months": dict(sorted(months.items())), "authors": authors.most_common(5)}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        address = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        routes = {"/search": self.search, "/page": self.page, "/report": self.report, "/cover": self.cover}
        route = routes.get(address.path)
        if route is None:
            return self.answer(404, "text/plain", "there is no such page")
        return self.answer(200, *route(query))

    def search(self, query):
        found = self.server.library.search(query.get("q", "").split())
        rows = ("<li>%s (%.2f)</li>" % (html.escape(book["title"]), score) for book, score in found)
        return "text/html", "<ol>%s</ol>" % "".join(rows)

    def page(self, query):
        book = self.book(query)
        words = sorted(set(book["text"].split()), key=len)[-10:]
        links = "".join("<li><a href='/search?q=%s'>%s</a></li>" % (quote(w), html.escape(w)) for w in words)
        fields = {key: html.escape(str(value)) for key, value in book.items()}
        return "text/html", PAGE.substitute(fields, links=links)

    def report(self, query):
        return "application/json", json.dumps(self.server.library.report(), indent=1)

    def cover(self, query):
        time.sleep(0.005)
        return "text/plain", "the cover of %s" % self.book(query)["title"]

    def book(self, query):
        books = self.server.library.books
        return books[int(query.get("book", "0")) % len(books)]

    def answer(self, status, kind, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind + "; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *ignored):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class Client(threading.Thread):
    """Asks for one page after the other over a connection that it keeps."""

    def __init__(self, port, library, seed, until):
        super().__init__(name="client %d" % seed)
        self.port, self.library, self.until = port, library, until
        self.chance = random.Random(seed)
        self.answers, self.errors = Counter(), 0

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while time.monotonic() < self.until:
            route, path = self.choose()
            try:
                status = self.ask(connection, path)
            except (OSError, http.client.HTTPException):
                connection.close()
                status = None
            if status == 200:
                self.answers[route] += 1
            else:
                self.errors += 1
            time.sleep(0.002)
        connection.close()

    def choose(self):
        route = self.chance.choices(["search", "page", "report", "cover"], [5, 3, 1, 3])[0]
        if route == "search":
            words = " ".join(self.chance.choice(self.library.words) for _ in range(4))
            return route, "/search?q=" + quote(words)
        return route, "/%s?book=%d" % (route, self.chance.randrange(len(self.library.books)))

    def ask(self, connection, path):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status


def main():
    parser = argparse.ArgumentParser(description="A small web server with its own load.")
    parser.add_argument("--seconds", type=float, default=30, help="how long it runs (30)")
    parser.add_argument("--clients", type=int, default=4, help="how many ask at a time (4)")
    parser.add_argument("--books", type=int, default=2000, help="how many books there are (2000)")
    parser.add_argument("--port", type=int, default=0, help="on loopback; the default is any that is free")
    args = parser.parse_args()

    library = Library(args.books, seed=7)
    server = Server(("127.0.0.1", args.port), Handler)
    server.library = library
    port = server.server_address[1]
    print("serving on http://127.0.0.1:%d for %g s" % (port, args.seconds), flush=True)
    serving = threading.Thread(target=server.serve_forever, name="server", daemon=True)
    serving.start()

    until = time.monotonic() + args.seconds
    clients = [Client(port, library, seed, until) for seed in range(args.clients)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    server.shutdown()
    server.server_close()

    answers = sum((client.answers for client in clients), Counter())
    errors = sum(client.errors for client in clients)
    routes = ", ".join("%d %s" % (count, route) for route, count in sorted(answers.items()))
    print("%d answers (%s), %d errors" % (sum(answers.values()), routes, errors))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
