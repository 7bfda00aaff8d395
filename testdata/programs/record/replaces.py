"""Replaces what a profiler written in Python would need, and works on in `burn`.

Module attributes, modules themselves, built-in functions, audit and trace functions, its own name.
Prints "done". Usage: replaces.py [SECONDS]
"""
import builtins
import os
import signal
import sys
import threading
import time

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.4
thread_time = time.thread_time


def burn(seconds):
    end = thread_time() + seconds
    while thread_time() < end:
        n = 0
        while n < 1000:
            n += 1


burn(seconds / 2)
write = sys.stdout.write
for module, names in [
    (sys, ["_current_frames", "_getframe", "setprofile", "settrace", "exc_info", "argv", "path"]),
    (os, ["fork", "_exit", "getpid", "execv", "register_at_fork"]),
    (signal, ["signal", "setitimer", "SIGPROF", "getsignal", "pthread_sigmask"]),
    (threading, ["Thread", "current_thread", "enumerate", "_active"]),
    (time, ["time", "thread_time", "perf_counter", "sleep"]),
    (builtins, ["open", "exec", "compile", "print"]),
]:
    for name in names:
        setattr(module, name, None)
for name in ["os", "signal", "threading", "time", "builtins"]:
    sys.modules[name] = "not a module"
sys.setswitchinterval(0.0001)
__name__ = None
__file__ = 7
names = {"co_name": "burnt", "co_filename": ""}
if hasattr(burn.__code__, "co_qualname"):
    names["co_qualname"] = "burnt"
burn.__code__ = burn.__code__.replace(**names)
burn(seconds / 2)
write("done\n")
