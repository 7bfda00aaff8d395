"""What main.py imports from beside it."""
import time


class Worker(object):
    def work(self, seconds):
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            pass


def burn_there(seconds):
    Worker().work(seconds)
