"""A small CPU-bound program with threads, for recording profiles.

The main thread runs a recursion, a generator, a sort with a lambda and a
method, over and over. Two more threads compute and one only sleeps. One thread
is named "pool;worker 1", because a semicolon is also what separates frames in
folded stacks. Runs under Python 2.7 and 3. Usage: work.py [SECONDS]
"""
import sys
import threading
import time


def squares(n):
    for i in range(n):
        yield i * i % 97


def sum_squares(n):
    total = 0
    for square in squares(n):
        total += square
    return total


def nest(depth, n):
    if depth > 0:
        return nest(depth - 1, n)
    return sum_squares(n)


def sort_words(n):
    words = [str(i * 7919 % n) for i in range(n)]
    return sorted(words, key=lambda word: (len(word), word[::-1]))


class Grid(object):
    """A square of cells that is smoothed step by step."""

    def __init__(self, side):
        self.side = side
        self.cells = [i * 31 % 17 for i in range(side * side)]

    def step(self):
        self.cells = [self.mean(i) for i in range(len(self.cells))]

    def mean(self, i):
        cells = self.cells
        return (cells[i - 1] + cells[i] + cells[i - self.side]) // 3


def compute(end):
    while time.time() < end:
        sum_squares(2000)
        nest(3, 1000)


def smooth(end):
    grid = Grid(30)
    while time.time() < end:
        grid.step()


def wait(end):
    while time.time() < end:
        time.sleep(0.05)


def mixed(end):
    while time.time() < end:
        nest(5, 2000)
        sort_words(1500)


def main(seconds):
    end = time.time() + seconds
    threads = [
        threading.Thread(target=compute, args=(end,), name="compute"),
        threading.Thread(target=smooth, args=(end,), name="pool;worker 1"),
        threading.Thread(target=wait, args=(end,), name="sleeper"),
    ]
    for thread in threads:
        thread.start()
    mixed(end)
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0)
