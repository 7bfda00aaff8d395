"""A fixed piece of work for the shop: the same requests in the same order.

Usage: python bench.py [REQUESTS]
"""
import itertools
import sys

import shop

if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40000
    for request in itertools.islice(shop.requests(seed=1), count):
        shop.handle(request)
