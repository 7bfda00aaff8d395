"""Becomes `echo`, by the functions of C that take the new program's words one by one.

Before that, the same function is asked for a program that does not exist, which fails, and CPU time is
used in `after_failing`. Usage: exec_lists.py execl|execlp|execle COUNT of words [SECONDS]
"""
import ctypes
import sys
import time


def after_failing(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def main():
    name, count = sys.argv[1], int(sys.argv[2])
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 0.1
    become = getattr(ctypes.CDLL(None, use_errno=True), name)
    words = [b"echo"] + [b"%d" % n for n in range(count)]
    last = [None]
    if name == "execle":
        last.append((ctypes.c_char_p * 2)(b"PATH=/bin", None))
    arguments = [ctypes.c_char_p(word) for word in words] + last
    failed = become(b"/there/is/no/such/program", *arguments)
    print(failed, ctypes.get_errno(), flush=True)
    after_failing(seconds)
    become(b"echo" if name == "execlp" else b"/bin/echo", *arguments)


main()
