"""A parent that starts two children, for recording with subprocesses.

One child computes and the other sleeps; the parent waits for both. Each child is
this same file with a role on its command line. Runs under Python 2.7 and 3.
Usage: spawn.py [SECONDS [compute|sleep]]
"""
import subprocess
import sys
import time


def count_bits(n):
    return sum(bin(i).count("1") for i in range(n))


def compute(end):
    while time.time() < end:
        count_bits(1000)


def sleep(end):
    while time.time() < end:
        time.sleep(0.05)


def parent(seconds):
    roles = ["compute", "sleep"]
    command = [sys.executable, sys.argv[0], str(seconds)]
    children = [subprocess.Popen(command + [role]) for role in roles]
    for child in children:
        child.wait()


def main(seconds, role):
    if role == "parent":
        parent(seconds)
    else:
        {"compute": compute, "sleep": sleep}[role](time.time() + seconds)


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    main(seconds, sys.argv[2] if len(sys.argv) > 2 else "parent")
