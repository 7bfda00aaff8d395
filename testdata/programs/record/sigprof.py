"""A program that uses SIGPROF for itself, and counts how often its own handler runs.

`python`: a handler by signal.signal, and 50 signals that it sends to itself. `timer`: the same handler,
and a timer by setitimer(ITIMER_PROF) every 10 ms. `default` and `ignore`: sets that action only.
`c`: a handler by sigaction in C (libnative.so, by NATIVE), and 50 signals. `wait`: blocks every signal
and collects the pending ones, as a thread for signals does. `failed`: tries to exec what is not
there, and blocks SIGPROF soon after. `blocked`: two threads that have SIGPROF blocked for good.
`behind`: blocks every signal by the kernel's own call for a second, and is
busy afterwards. `children`: a command started after all that, and which signals it finds ignored. Prints JSON of what it
saw. Usage: sigprof.py KIND [SECONDS]
"""
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time

SEEN = []


def handler(number, frame):
    SEEN.append(number)


def spin(seconds):
    end = time.thread_time() + seconds
    total = 0
    while time.thread_time() < end:
        for n in range(1000):
            total += n * n
    return total


def burn(seconds):
    spin(seconds)


def python(seconds):
    before = signal.signal(signal.SIGPROF, handler)
    for _ in range(50):
        signal.raise_signal(signal.SIGPROF)
        burn(seconds / 50)
    return {"before": int(before), "sent": 50, "seen": len(SEEN)}


def timer(seconds):
    signal.signal(signal.SIGPROF, handler)
    signal.setitimer(signal.ITIMER_PROF, 0.01, 0.01)
    burn(seconds)
    interval = signal.getitimer(signal.ITIMER_PROF)[1]
    signal.setitimer(signal.ITIMER_PROF, 0)
    time.sleep(0.05)
    return {"interval": round(interval, 3), "sent": int(time.process_time() / 0.01), "seen": len(SEEN)}


def default(seconds):
    before = signal.signal(signal.SIGPROF, signal.SIG_DFL)
    burn(seconds)
    return {"before": int(before), "after": int(signal.getsignal(signal.SIGPROF))}


def ignore(seconds):
    before = signal.signal(signal.SIGPROF, signal.SIG_IGN)
    burn(seconds)
    return {"before": int(before), "after": int(signal.getsignal(signal.SIGPROF))}


def c(seconds):
    native = ctypes.CDLL(os.environ["NATIVE"])
    before = native.install_counting()
    for _ in range(50):
        signal.raise_signal(signal.SIGPROF)
        burn(seconds / 50)
    return {"before": before, "sent": 50, "seen": native.count_of_signals()}


def wait(seconds):
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    burn(seconds)
    pending = signal.sigpending()
    got = signal.sigtimedwait(signal.valid_signals(), 0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    return {"pending": sorted(map(int, pending)), "got": got and got.si_signo}


def blocked(seconds):
    """Of two threads one has the signal blocked from its beginning, the other one blocks it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPROF])
    thread = threading.Thread(target=burn, args=(seconds / 2,))
    thread.start()
    thread.join()
    burn(seconds / 2)
    return None


def behind(seconds):
    native = ctypes.CDLL(os.environ["NATIVE"])
    native.block_behind(1)
    time.sleep(1)
    native.block_behind(0)
    burn(seconds)
    return None


def failed(seconds):
    found = 0
    for n in range(100):
        try:
            os.execv("/there/is/no/such/program", ["no"])
        except OSError:
            pass
        burn(n % 10 * 0.0003)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPROF])
        burn(seconds / 100)
        found += signal.SIGPROF in signal.sigpending()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])
    return {"pending": found}


def children(seconds):
    burn(seconds)
    signal.signal(signal.SIGPROF, signal.SIG_IGN)
    told = [ask_a_child(restore_signals=False)]
    signal.signal(signal.SIGPROF, handler)
    told.append(ask_a_child())
    return told


def ask_a_child(**options):
    """Which signals a child finds blocked and ignored; two of them are the C library's own affair."""
    status = subprocess.check_output(["cat", "/proc/self/status"], **options).decode()
    masks = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Sig"))
    return {key: "%x" % (int(masks[key], 16) & ~(3 << 31)) for key in ("SigBlk", "SigIgn", "SigCgt")}


if __name__ == "__main__":
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.5
    print(json.dumps(globals()[sys.argv[1]](seconds)))
