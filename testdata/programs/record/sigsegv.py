"""A program that handles SIGSEGV for itself, and one that needs the handler.

`plain`: reads from nowhere, with nobody to handle it. `faulthandler`: has Python's faulthandler tell
where, enabled while it runs. `chain`: a library's handler says so and calls the one before it.
`both`: such a handler after faulthandler's. `recover N`: a handler in C jumps out of N faults.
`before`: tells whether a handler is there that this program did not set.
All but `plain` and `faulthandler` need the path of libnative.so in NATIVE.
Usage: sigsegv.py KIND [COUNT] [SECONDS]
"""
import ctypes
import faulthandler
import os
import sys
import time


def burn(seconds):
    end = time.thread_time() + seconds
    total = 0
    while time.thread_time() < end:
        for n in range(1000):
            total += n * n
    return total


def fault():
    ctypes.string_at(16)


if __name__ == "__main__":
    kind = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 0.3
    native = ctypes.CDLL(os.environ["NATIVE"]) if "NATIVE" in os.environ else None
    if kind == "before":
        burn(seconds)
        print(native.handlers_before())
        sys.exit()
    burn(seconds)
    if kind in ("faulthandler", "both"):
        faulthandler.enable()
        burn(seconds)
    if kind in ("chain", "both"):
        native.install_chaining()
        burn(seconds)
    if kind == "recover":
        print(native.fault_and_recover(count), flush=True)
        burn(seconds)
        print(native.fault_and_recover(count), flush=True)
        sys.exit()
    print("about to fault", flush=True)
    fault()
