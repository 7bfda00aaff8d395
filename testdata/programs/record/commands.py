"""Runs commands in the usual ways, and tells what they wrote and how they ended.

The commands are shells, this interpreter, and one that does not exist. Prints a JSON list.
Usage: commands.py
"""
import json
import os
import subprocess
import sys
import time


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    return [done.returncode, done.stdout.decode(), done.stderr.decode()]


def missing():
    try:
        subprocess.call(["./there-is-no-such-command"])
    except FileNotFoundError:
        return "missing"


if __name__ == "__main__":
    told = []
    for _ in range(3):
        burn(0.05)
        told += [
            os.system("exit 3") >> 8,
            run(["sh", "-c", "echo out; echo err >&2; exit 4"]),
            run("echo a | cat; kill -TERM $$", shell=True),
            run([sys.executable, "-c", "import os; print(sorted(os.listdir('/proc/self/fd')))"]),
            run([sys.executable, "-c", "print(7)"], close_fds=False, env={}),
            run(["echo", "new group"], preexec_fn=os.setpgrp),
            run(["cat"], input=b"through a pipe"),
            os.popen("echo popen").read(),
            missing(),
        ]
    print(json.dumps(told))
