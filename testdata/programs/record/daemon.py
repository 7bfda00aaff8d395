"""Becomes a daemon as daemons do, and works on alone.

Forks twice, leaves the session, closes every descriptor, uses CPU time in `in_daemon`, runs a
command, and writes its process id and the command's status to FILE, at last. The parent ends at once.
Usage: daemon.py FILE [SECONDS]
"""
import os
import subprocess
import sys
import time


def in_daemon(seconds):
    end = time.thread_time() + seconds
    total = 0
    while time.thread_time() < end:
        for n in range(1000):
            total += n * n
    return total


if __name__ == "__main__":
    path = os.path.abspath(sys.argv[1])
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    os.closerange(0, 65536)
    for descriptor in range(3):
        os.open(os.devnull, os.O_RDWR)
    in_daemon(float(sys.argv[2]) if len(sys.argv) > 2 else 0.5)
    status = subprocess.call([sys.executable, "-c", "print(1)"])
    with open(path + ".part", "w") as file:
        file.write("%d %d" % (os.getpid(), status))
    os.rename(path + ".part", path)
