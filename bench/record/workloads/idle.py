"""Fixed work in the main thread, beside THREADS threads that wait. Usage: idle.py THREADS ROUNDS"""
import sys
import threading


def wait(event, depth):
    if depth:
        wait(event, depth - 1)
    else:
        event.wait()


def work(count):
    total = 0
    for n in range(count):
        total = (total + n * n) % 65521
    return total


if __name__ == "__main__":
    threading.stack_size(256 * 1024)
    event = threading.Event()
    threads = [threading.Thread(target=wait, args=(event, 10)) for _ in range(int(sys.argv[1]))]
    for thread in threads:
        thread.start()
    for _ in range(int(sys.argv[2])):
        work(100000)
    event.set()
    for thread in threads:
        thread.join()
