"""Work in the processes of `multiprocessing`, each using CPU time in `in_worker`.

Two processes on their own and a pool of two; METHOD is how they start: fork, spawn or forkserver.
Prints {"results": [...], "codes": [...]}. Usage: processes.py METHOD [SECONDS a worker]
"""
import json
import multiprocessing
import sys
import time


def in_worker(seconds):
    end = time.process_time() + seconds
    total = 0
    while time.process_time() < end:
        for n in range(1000):
            total += n * n
    return seconds


if __name__ == "__main__":
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.2
    context = multiprocessing.get_context(sys.argv[1])
    alone = [context.Process(target=in_worker, args=(seconds,)) for _ in range(2)]
    for process in alone:
        process.start()
    for process in alone:
        process.join()
    with context.Pool(2) as pool:
        results = pool.map(in_worker, [seconds] * 2, chunksize=1)
        pool.close()
        pool.join()
    print(json.dumps({"results": results, "codes": [process.exitcode for process in alone]}))
