"""A program of two files, which a profiler must run as Python would.

Imports a module from beside it, pickles an object of a class of its own, and tells its name, its file,
its arguments and what the module search begins with. Usage: main.py [ARGUMENT…]
"""
import pickle
import sys
import time

import sibling


class Own(object):
    def __init__(self, value):
        self.value = value


def burn_here(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


if __name__ == "__main__":
    burn_here(0.2)
    sibling.burn_there(0.2)
    again = pickle.loads(pickle.dumps(Own(7)))
    print(__name__, __file__, sys.argv[1:], sys.path[0], again.value, type(again).__module__)
