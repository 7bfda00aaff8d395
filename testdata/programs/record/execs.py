"""Becomes itself over and over, each time with a signal of a profiler pending.

SIGPROF is blocked while CPU time is used, so that a timer's signal is still pending when exec is
called, and is let through right after it: where its action is still the default one, that ends the
process. Before that, exec of a file that does not exist is tried. Prints "COUNT" when done.
Usage: execs.py COUNT [SECONDS each]
"""
import os
import signal
import sys
import time


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])
left = int(sys.argv[1])
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.02
done = int(sys.argv[3]) if len(sys.argv) > 3 else 0
burn(seconds)
if left == 0:
    print(done)
    sys.exit()
try:
    os.execv("/there/is/no/such/program", ["no"])
except OSError:
    burn(seconds / 4)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPROF])
burn(seconds)
command = [sys.executable, "-S", "-E", __file__, str(left - 1), str(seconds), str(done + 1)]
os.execv(sys.executable, command)
