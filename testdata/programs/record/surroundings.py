"""Tells what a program can see of its own process, once at the start and once later.

Descriptors, environment, arguments, signal handlers and masks, timers, limits, the working folder,
modules, threads as Python knows them, warnings of a fork, and handlers at exit. Prints JSON.
Usage: surroundings.py [SECONDS in between]
"""
import json
import os
import resource
import signal
import sys
import threading
import time


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def handlers():
    found = {}
    for number in sorted(signal.valid_signals()):
        found[int(number)] = str(signal.getsignal(number))
    return found


def descriptors():
    found = {}
    for name in sorted(os.listdir("/proc/self/fd")):
        try:
            found[name] = os.readlink("/proc/self/fd/" + name)
        except OSError:
            pass  # the one by which the folder was listed
    return found


def look():
    return {
        "descriptors": sorted(descriptors()),
        "environment": dict(os.environ),
        "arguments": sys.argv,
        "handlers": handlers(),
        "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
        "pending": sorted(map(int, signal.sigpending())),
        "timers": [signal.getitimer(n) for n in (0, 1, 2)],
        "limits": [resource.getrlimit(n) for n in range(10)],
        "folder": os.getcwd(),
        "modules": sorted(sys.modules),
        "threads": threading.active_count(),
        "trace": [str(sys.gettrace()), str(sys.getprofile())],
        "path": sys.path,
        "file": __file__,
        "nice": os.nice(0),
        "affinity": sorted(os.sched_getaffinity(0)),
        "umask": os.umask(0o22),
        "oom": open("/proc/self/oom_score_adj").read(),
        "dumpable": os.stat("/proc/self").st_uid,
        "name": open("/proc/self/comm").read(),
    }


if __name__ == "__main__":
    os.umask(0o22)
    first = look()
    burn(float(sys.argv[1]) if len(sys.argv) > 1 else 0.3)
    print(json.dumps([first, look()]))
