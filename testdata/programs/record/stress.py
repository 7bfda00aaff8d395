"""Does at once what makes a profiler stumble, in nine threads for a time.

New code objects compiled, run and thrown away; recursion 700 deep; exceptions through many frames;
garbage collection of cycles; threads that live for a moment; `yield from` chains; `asyncio.run`;
modules imported anew; children by fork and by exec. Prints {"rounds": {"NAME": N, …}, "forks": N,
"failed": N}, where failed counts children that did not end with status 0.
Usage: stress.py [SECONDS]
"""
import asyncio
import gc
import importlib
import json
import os
import subprocess
import sys
import threading
import time
import warnings

warnings.simplefilter("ignore")
CHILDREN = {"forks": 0, "failed": 0}


def compile_and_run(n):
    text = "def f_%d(x):\n" % n + "    x += 1\n" * (n % 40) + "    return [i * x for i in range(50)]\n"
    names = {}
    exec(compile(text, "made_%d.py" % (n % 7), "exec"), names)
    return names["f_%d" % n](n)


def recurse(n):
    return descend(700)


def descend(depth):
    return 1 + descend(depth - 1) if depth else len([n for n in range(200)])


def raise_and_catch(n):
    try:
        through(30)
    except ValueError as error:
        return str(error)


def through(depth):
    try:
        if depth == 0:
            raise ValueError("from the bottom")
        through(depth - 1)
    finally:
        depth += 1


class Node(object):
    def __init__(self):
        self.me = self
        self.data = [0] * 20

    def __del__(self):
        self.data.sort()


def collect(n):
    for _ in range(50):
        Node()
    gc.collect(0)


def start_threads(n):
    threads = [threading.Thread(target=sum, args=(range(300),)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def delegate(n):
    return sum(chain(20))


def chain(depth):
    if depth:
        yield depth
        yield from chain(depth - 1)


async def wait(depth):
    if depth:
        await wait(depth - 1)
        return await wait(depth - 1)
    await asyncio.sleep(0)


def run_coroutines(n):
    asyncio.run(wait(4))


def import_anew(n):
    for name in ("colorsys", "bisect", "textwrap"):
        sys.modules.pop(name, None)
        importlib.import_module(name)


def start_children(n):
    child = os.fork()
    if child == 0:
        total = sum(n * n for n in range(20000))
        os._exit(0 if total > 0 else 1)
    CHILDREN["forks"] += 1
    CHILDREN["failed"] += wait_for(child) != 0
    if n % 4 == 0:
        CHILDREN["forks"] += 1
        CHILDREN["failed"] += subprocess.call(["/bin/true"]) != 0


def wait_for(child):
    """The child's status; a child that hangs is killed."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.002)
    os.kill(child, 9)
    return os.waitpid(child, 0)[1]


WORK = [
    compile_and_run, recurse, raise_and_catch, collect, start_threads, delegate, run_coroutines,
    import_anew, start_children,
]
ROUNDS = dict.fromkeys([work.__name__ for work in WORK], 0)


def repeat(work, end):
    while time.monotonic() < end:
        work(ROUNDS[work.__name__])
        ROUNDS[work.__name__] += 1


if __name__ == "__main__":
    sys.setrecursionlimit(2000)
    sys.setswitchinterval(0.0005)
    end = time.monotonic() + (float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
    threads = [threading.Thread(target=repeat, args=(work, end)) for work in WORK]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(dict(CHILDREN, rounds=ROUNDS)))
