"""Uses CPU time in `spin`, called from `burn`, and then ends in the way it is told.

Prints "done" before it ends. Usage: burn.py [SECONDS] [ENDING], ENDING being `return`, `exit:N`,
`exit-in-thread`, `exception`, `_exit:N`, `abort`, a signal's name such as `SIGTERM` that it sends to
itself, `handled:SIGNAL` for one that a handler turns into `sys.exit(7)`, or `wait`: it goes on
burning until somebody ends it.
"""
import os
import signal
import sys
import threading
import time


def spin(count):
    total = 0
    for n in range(count):
        total += n * n
    return total


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        spin(2000)


def leave(number, frame):
    sys.exit(7)


def finish(ending):
    word, _, rest = ending.partition(":")
    if word == "exit":
        sys.exit(int(rest))
    elif word == "exit-in-thread":
        thread = threading.Thread(target=sys.exit, args=(5,))
        thread.start()
        thread.join()
    elif word == "exception":
        raise ValueError("the end of burn.py")
    elif word == "_exit":
        os._exit(int(rest))
    elif word == "abort":
        os.abort()
    elif word == "handled":
        signal.signal(getattr(signal, rest), leave)
        os.kill(os.getpid(), getattr(signal, rest))
        burn(10)
    elif word == "wait":
        while True:
            burn(0.1)
    elif word.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, word))
        burn(10)


if __name__ == "__main__":
    burn(float(sys.argv[1]) if len(sys.argv) > 1 else 0.4)
    print("done", flush=True)
    finish(sys.argv[2] if len(sys.argv) > 2 else "return")
