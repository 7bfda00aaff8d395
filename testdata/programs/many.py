"""A program with 90 hot functions, each with its own stack.

Plop 0.4.0 stores only the 50 most frequent stacks of a profile, so a profile of
this program loses some without saying so. The functions are compiled from text,
all in one pretended file, and a later function runs a little longer than an
earlier one. Runs under Python 2.7 and 3. Usage: many.py [SECONDS]
"""
import sys
import time

FUNCTIONS = 90
cpu_time = getattr(time, "process_time", None) or time.clock

TEMPLATE = """\
def stage_{0:02d}(end):
    n = 0
    while cpu_time() < end: n += 1
    return n
"""


def build():
    text = "".join(TEMPLATE.format(i) for i in range(FUNCTIONS))
    names = {"cpu_time": cpu_time}
    exec(compile(text, "stages.py", "exec"), names)
    return [names["stage_{0:02d}".format(i)] for i in range(FUNCTIONS)]


def main(seconds):
    shares = [FUNCTIONS + i for i in range(FUNCTIONS)]
    unit = float(seconds) / sum(shares)
    end = cpu_time()
    for stage, share in zip(build(), shares):
        end += share * unit
        stage(end)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)
