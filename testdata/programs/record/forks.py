"""Forks in every way there is, each child using CPU time in `in_child` and ending with status 0.

`plain N`: os.fork, N times. `threads N`: in each of four threads at once, N times. `c N`: libc's fork,
called in C. `raw N`: the kernel's, by which nobody is told. `vfork N`: commands run by vfork and exec
in C. `spawn N`: os.posix_spawn. The ways in C need the path of libnative.so in NATIVE.
Prints {"forks": N, "failed": N}. Usage: forks.py KIND COUNT [SECONDS a child]
"""
import ctypes
import json
import os
import sys
import threading
import time

SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 0.1
STATUSES = []


def spin(seconds):
    end = time.thread_time() + seconds
    total = 0
    while time.thread_time() < end:
        for n in range(1000):
            total += n * n
    return total


def in_child():
    spin(SECONDS)


def in_parent():
    spin(SECONDS)


def plain():
    child = os.fork()
    if child == 0:
        in_child()
        os._exit(0)
    in_parent()
    STATUSES.append(os.waitpid(child, 0)[1])


def repeat(way, count):
    for _ in range(count):
        way()


def native():
    # The interpreter's lock is kept: a child of a raw fork could not get it back.
    return ctypes.PyDLL(os.environ["NATIVE"])


def by_c():
    STATUSES.append(native().fork_in_c(BODY))
    in_parent()


def raw():
    STATUSES.append(native().fork_raw(BODY))
    in_parent()


def by_vfork():
    command = (ctypes.c_char_p * 2)(b"/bin/true", None)
    STATUSES.append(native().run_by_vfork(command))
    in_parent()


def spawn():
    child = os.posix_spawn("/bin/true", ["true"], os.environ)
    in_parent()
    STATUSES.append(os.waitpid(child, 0)[1])


BODY = ctypes.PYFUNCTYPE(None)(in_child)
WAYS = {"plain": plain, "c": by_c, "raw": raw, "vfork": by_vfork, "spawn": spawn}

if __name__ == "__main__":
    kind, count = sys.argv[1], int(sys.argv[2])
    if kind == "threads":
        threads = [threading.Thread(target=repeat, args=(plain, count)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        repeat(WAYS[kind], count)
    print(json.dumps({"forks": len(STATUSES), "failed": sum(status != 0 for status in STATUSES)}))
