"""A program that is over before the first sample, through Plop's own API.

It starts a Collector, stops it at once and stores what was collected: nothing.
The command line of Plop writes no file in this case, so this is the way to get
an empty profile. Runs under Python 2.7 and 3 with Plop on the module path.
Usage: fast.py plop|flamegraph OUTPUT
"""
import sys

from plop.collector import Collector, FlamegraphFormatter, PlopFormatter

FORMATTERS = {"plop": PlopFormatter, "flamegraph": FlamegraphFormatter}


def main(name, output):
    collector = Collector(mode="prof")
    collector.start()
    collector.stop()
    assert collector.samples_taken == 0
    FORMATTERS[name]().store(collector, output)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
