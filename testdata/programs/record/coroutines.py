"""Stacks that are not left in the order in which they were entered.

`asyncio`: two tasks take turns, one awaiting `a_outer`, `a_middle`, `a_inner`, the other `b_outer`,
`b_inner`. `generators`: the same with `yield from`, stepped by hand. `gevent`: the same with greenlets,
which swap the stack itself. Time is used in `a_leaf` and `b_leaf`, each called from the innermost of
its own kind only. Prints {"a": N, "b": N}, the turns. Usage: coroutines.py KIND [SECONDS]
"""
import asyncio
import json
import sys
import time

TURNS = {"a": 0, "b": 0}


def spin():
    total = 0
    for n in range(3000):
        total += n * n
    return total


def a_leaf():
    TURNS["a"] += 1
    return spin()


def b_leaf():
    TURNS["b"] += 1
    return spin()


def with_asyncio(end):
    async def a_outer():
        while time.thread_time() < end:
            await a_middle()

    async def a_middle():
        await a_inner()

    async def a_inner():
        a_leaf()
        await asyncio.sleep(0)

    async def b_outer():
        while time.thread_time() < end:
            await b_inner()

    async def b_inner():
        b_leaf()
        await asyncio.sleep(0)

    async def main():
        await asyncio.gather(a_outer(), b_outer())

    asyncio.run(main())


def with_generators(end):
    def a_outer():
        while True:
            yield from a_middle()

    def a_middle():
        yield from a_inner()

    def a_inner():
        a_leaf()
        yield

    def b_outer():
        while True:
            yield from b_inner()

    def b_inner():
        b_leaf()
        yield

    a, b = a_outer(), b_outer()
    while time.thread_time() < end:
        next(a)
        next(b)


def with_gevent(end):
    import gevent

    def a_outer():
        while time.thread_time() < end:
            a_middle()

    def a_middle():
        a_inner()

    def a_inner():
        a_leaf()
        gevent.sleep(0)

    def b_outer():
        while time.thread_time() < end:
            b_inner()

    def b_inner():
        b_leaf()
        gevent.sleep(0)

    gevent.joinall([gevent.spawn(a_outer), gevent.spawn(b_outer)])


if __name__ == "__main__":
    end = time.thread_time() + (float(sys.argv[2]) if len(sys.argv) > 2 else 0.4)
    {"asyncio": with_asyncio, "generators": with_generators, "gevent": with_gevent}[sys.argv[1]](end)
    print(json.dumps(TURNS))
