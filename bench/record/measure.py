"""Runs a command and tells what it and everything it started cost.

`cost` starts this file as a program of its own, which starts the command, adopts whatever the command
leaves behind, waits for all of it, and then asks the kernel once: a profiler is on the bill whether it
is the program's parent, its child, or runs inside it.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from statistics import median

CHILD_SUBREAPER = 36  # prctl


@dataclass
class Cost:
    """Seconds of processor time (user and system) of all processes, seconds that passed, and what the
    command wrote to stdout."""

    cpu: float
    wall: float
    stdout: str


class Failed(Exception):
    """The command failed, or nobody could run it."""


def cost(words, env=None, cwd=None):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        told_by, told = os.pipe()
        wrapper = subprocess.Popen(
            [sys.executable, "-S", "-E", os.path.abspath(__file__), str(told), *map(str, words)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=err, pass_fds=[told], cwd=cwd,
            env={**os.environ, "PYTHONHASHSEED": "0", **(env or {})})
        os.close(told)
        with open(told_by) as file:
            text = file.read()
        wrapper.wait()
        out.seek(0), err.seek(0)
        stdout, stderr = (file.read().decode(errors="replace") for file in (out, err))
    result = json.loads(text) if text else {"status": -1}
    if result["status"] != 0:
        raise Failed(f"{' '.join(map(str, words))}: status {result['status']}\n{stderr[-2000:]}{stdout[-500:]}")
    return Cost(result["cpu"], result["wall"], stdout)


def wrap(told, words):
    import ctypes
    import resource
    import time

    ctypes.CDLL(None).prctl(CHILD_SUBREAPER, 1, 0, 0, 0)
    os.set_inheritable(told, False)
    started = time.perf_counter()
    child = os.posix_spawnp(words[0], words, os.environ)
    status, wall = None, 0.0
    while True:
        try:
            pid, ended = os.waitpid(-1, 0)
        except ChildProcessError:
            break
        if pid == child:
            status, wall = os.waitstatus_to_exitcode(ended), time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    os.write(told, json.dumps({"status": status, "wall": wall, "cpu": usage.ru_utime + usage.ru_stime}).encode())


def in_turn(rounds, names, seed=7):
    """(round, name) for every run: each round has every name that is still wanted, in an order of its
    own. `names` are pairs of a name and in which share of the rounds it is wanted."""
    chance = random.Random(seed)
    for n in range(rounds):
        due = [name for name, share in names if int(n * share) != int((n + 1) * share) or n == 0]
        chance.shuffle(due)
        for name in due:
            yield n, name


def interval(numbers, seed=7):
    """The median, its 95 % interval by resampling, the least and the most."""
    chance = random.Random(seed)
    medians = sorted(median(chance.choices(numbers, k=len(numbers))) for _ in range(2000))
    return median(numbers), medians[50], medians[1949], min(numbers), max(numbers)


if __name__ == "__main__":
    wrap(int(sys.argv[1]), sys.argv[2:])
