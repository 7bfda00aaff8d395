"""Functions of which it is known which line runs, by Python's own tracebacks.

Each function below calls `here` from a line that takes some thought to find: in an argument that
spans lines, in a comprehension, in a `finally`, far down a long function. First `here` raises, and
the traceback tells the line of each function on the way; then it uses CPU time instead, and a
profiler must see those very lines. Prints as JSON the stacks, each a list of [NAME, LINE] from `visit`
to the caller of `here`, and for `here` itself its first and last line and the one that takes the time.
Usage: lines.py [SECONDS for all together]
"""
import json
import sys
import time

SECONDS = None


class Here(Exception):
    pass


def here(*ignored):
    if SECONDS is None:
        raise Here
    end = time.thread_time() + SECONDS
    while time.thread_time() < end: n = 0  # noqa: one line on purpose
    return 1


def plain():
    here()


def last_of_many_lines():
    a = 1
    b = 2

    c = a + b
    return c + here()


def arguments():
    return max(
        1,
        2,
        here(
            "of a call that",
            "spans lines",
        ),
        3,
    )


def operator():
    return (
        1
        + here()
        + 2
    )


def chained():
    return (
        "text"
        .upper()
        .replace("E", str(here()))
        .lower()
    )


def comprehension():
    return [
        n
        for n in [1]
        if here()
    ]


def generator():
    for n in inner_generator():
        return n


def inner_generator():
    yield from (
        here()
        for n in [1]
    )


def loop():
    for n in range(2):
        if n == 1:
            continue
        here()
        n += 1


def backwards():
    n = 0
    while (
        n < 1
        and here()
    ):
        n += 1


def in_finally():
    try:
        n = 1
    finally:
        here()
    return n


def in_except():
    try:
        raise ValueError
    except ValueError:
        here()


def in_with():
    with Context() as context:
        pass
    return context


class Context(object):
    def __enter__(self):
        return self

    def __exit__(self, *reason):

        here()


class Class(object):
    @property
    def attribute(self):
        return here()

    @staticmethod
    def static(callback):
        return callback()

    class Nested(object):
        def __add__(self, other):
            return here()


def properties():
    return Class().attribute


def nested():
    return Class.Nested() + 1


def with_lambda():
    return Class.static(
        lambda:
            here()
    )


def text():
    return "a text {} that is formatted".format(
        here()
    )


def dictionary():
    return {
        "one": 1,
        "two": here(),
        "three": 3,
    }


def decorated():
    @here
    def function():
        pass


def defaults():
    def function(
        a=1,
        b=here(),
    ):
        pass


def callback():
    return sorted(
        [1],
        key=here,
    )


def make_long():
    """A function of 700 lines, whose jumps in code and in lines need several bytes."""
    lines = ["def long_function():", "    x = 0"]
    lines += ["    x = x + len([1, 2, 3][:%d]) if x < %d else x" % (n % 3, n) for n in range(340)]
    lines += [""] * 300
    lines += ["    here()"]
    lines += ["    x += %d" % n for n in range(50)]
    names = {"here": here}
    exec(compile("\n".join(lines), "long.py", "exec"), names)
    return names["long_function"]


WAYS = [
    plain, last_of_many_lines, arguments, operator, chained, comprehension, generator, loop, backwards,
    in_finally, in_except, in_with, properties, nested, with_lambda, text, dictionary, decorated,
    defaults, callback, make_long(),
]


def visit(way):
    way()


def trace(way):
    try:
        visit(way)
    except Here:
        step = sys.exc_info()[2].tb_next
        stack = []
        while step is not None:
            code = step.tb_frame.f_code
            stack.append([getattr(code, "co_qualname", code.co_name), step.tb_lineno])
            step = step.tb_next
        return stack[:-1]
    raise AssertionError("nothing was raised")


if __name__ == "__main__":
    truth = [trace(way) for way in WAYS]
    SECONDS = (float(sys.argv[1]) if len(sys.argv) > 1 else 1.0) / len(WAYS)
    first = here.__code__.co_firstlineno
    for way in WAYS:
        visit(way)
    print(json.dumps({"stacks": truth, "first": first, "busy": first + 4, "last": first + 5}))
