"""CPU time used inside interpreters of their own, in `inside`, one after the other.

Prints the number of interpreters that were run. Usage: interpreters.py [SECONDS each]
"""
import sys

if sys.version_info >= (3, 13):
    import _interpreters as interpreters
else:
    import _xxsubinterpreters as interpreters

SOURCE = """
import time

def inside(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        n = 0
        while n < 1000:
            n += 1

inside({seconds})
"""


def run(seconds):
    interpreter = interpreters.create()
    interpreters.run_string(interpreter, SOURCE.format(seconds=seconds))
    interpreters.destroy(interpreter)


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.3
    run(seconds)
    run(seconds)
    print(2)
