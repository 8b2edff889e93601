"""Programs in which code is hot, compiled by CPython's JIT if it is on, before a branch takes its rare direction.

Each has a name and its text; `N` times is enough for the compiler, and `RESULT` is what the program computed.
"""

from __future__ import annotations

import textwrap

__all__ = ["HOT_CONSTRUCTS"]

_PRELUDE = """\
N = 9000
RESULT = []
"""

_TEXTS = {
    "the last round of a for loop": """
        def count(n):
            total = 0
            for i in range(n):
                if i == n - 1:
                    total += 100
                total += 1
            return total
        RESULT.append(count(N))
    """,
    "a way that is jumped to": """
        def count(n):
            total = 0
            for i in range(n):
                if i < n - 1:
                    total += 1
                else:
                    total += 100
            return total
        RESULT.append(count(N))
    """,
    "a while loop that ends by its test, and one by break": """
        def count(n):
            total = n
            while total > 0:
                if total == 7:
                    total -= 2
                total -= 1
            while True:
                total += 1
                if total > n:
                    break
            return total
        RESULT.append(count(N))
    """,
    "loops in a loop": """
        def count(n):
            total = 0
            for i in range(n // 50):
                for j in range(50):
                    if i == n // 50 - 1 and j == 49:
                        total += 100
                    total += j
                else:
                    total += 1
                while total % 7:
                    total += 1
            return total
        RESULT.append(count(N))
    """,
    "a loop over a list, a tuple, an iterator and a dict": """
        def count(values):
            total = 0
            for value in values:
                if value == N - 1:
                    total += 100
                total += value
            return total
        RESULT.append(count(list(range(N))))
        RESULT.append(count(tuple(range(N))))
        RESULT.append(count(iter(list(range(N)))))
        RESULT.append(count(dict.fromkeys(range(N))))
    """,
    "comprehensions": """
        def build(n):
            some = [i if i < n - 1 else -i for i in range(n) if i != n - 2]
            names = {str(i): i for i in range(n) if i % 100 == 0 or i == n - 1}
            return len(some), len(names), sum(i for i in some if i >= 0 or i < -5)
        RESULT.append(build(N))
    """,
    "a called function": """
        def classify(i):
            if i == N - 1:
                return 100
            if i == N - 2:
                return 50
            return 1
        def count(n):
            total = 0
            for i in range(n):
                total += classify(i)
            return total
        RESULT.append(count(N))
    """,
    "a nested function and a method": """
        class Counter:
            def __init__(self):
                self.total = 0
            def add(self, i):
                if i == N - 1:
                    self.total += 100
                self.total += 1
        def count(n):
            counter = Counter()
            def visit(i):
                if i == n - 3:
                    counter.add(-1)
                counter.add(i)
            for i in range(n):
                visit(i)
            return counter.total
        RESULT.append(count(N))
    """,
    "a generator": """
        def numbers(n):
            for i in range(n):
                if i == n - 1:
                    yield -1
                yield i
        def count(n):
            total = 0
            for value in numbers(n):
                if value < 0:
                    total += 100
                total += value
            return total
        RESULT.append(count(N))
    """,
    "an exception that is raised once": """
        def check(i):
            if i == N - 1:
                raise ValueError
            return i
        def count(n):
            total = 0
            for i in range(n):
                try:
                    total += check(i)
                except ValueError:
                    total += 100
                else:
                    total += 1
                finally:
                    total += 1
            return total
        RESULT.append(count(N))
    """,
    "an error of an instruction": """
        def count(values):
            total = 0
            for value in values:
                try:
                    total += 100 // value
                except ZeroDivisionError:
                    if total > 5:
                        total += 7
                total += 1
            return total
        RESULT.append(count([1] * N + [0]))
    """,
    "a finally clause that is left in several ways": """
        def note(i):
            return i
        def count(n):
            total = 0
            for i in range(n):
                try:
                    if i == n - 3: continue
                    if i == n - 1: break
                    total += 1
                finally:
                    total += note(1)
            return total
        RESULT.append(count(N))
    """,
    "a with statement": """
        class Guard:
            def __enter__(self):
                return self
            def __exit__(self, kind, *rest):
                if kind is not None:
                    return True
        def count(n):
            total = 0
            for i in range(n):
                with Guard():
                    if i == n - 1:
                        raise KeyError
                    total += 1
            return total
        RESULT.append(count(N))
    """,
    "match": """
        def kind(value):
            match value:
                case int(x) if x == N - 1:
                    return "last"
                case int():
                    return "int"
                case [x, *_]:
                    return "list"
                case {"k": x}:
                    return "dict"
                case None:
                    return "none"
            return "other"
        def count(n):
            found = []
            for i in range(n):
                found.append(kind(i))
            for value in ([1, 2], {"k": 2}, None, "x"):
                found.append(kind(value))
            return sorted(set(found))
        RESULT.append(count(N))
    """,
    "and, or, not and a ternary": """
        def count(n):
            total = 0
            for i in range(n):
                if i == n - 1 or (i == n - 2 and total > 5) or not i < n:
                    total += 10
                total += 1 if i != n - 5 else 50
                while total < 0 and i: total += 1
            return total
        RESULT.append(count(N))
    """,
    "None": """
        def count(values):
            total = 0
            for value in values:
                if value is None:
                    total += 10
                if value is not None:
                    total += 1
            return total
        RESULT.append(count([1] * N + [None]))
    """,
    "a function that became hot in calls of one round": """
        def first(values):
            for value in values:
                if value > 3:
                    return value
            return None
        for i in range(N):
            first((5,))
        RESULT.append(first((1, 2)))
        RESULT.append(first((1, 5)))
    """,
    "async for and await": """
        class Numbers:
            def __init__(self, n):
                self.n = n
            def __aiter__(self):
                return self
            async def __anext__(self):
                self.n -= 1
                if self.n < 0:
                    raise StopAsyncIteration
                return self.n
        async def count(n):
            total = 0
            async for i in Numbers(n):
                if i == 0:
                    total += 100
                total += 1
            return total
        try:
            count(N).send(None)
        except StopIteration as stop:
            RESULT.append(stop.value)
    """,
    "module level": """
        total = 0
        for i in range(N):
            if i == N - 1:
                total += 100
            total += 1
        while total > 0:
            if total == 1:
                RESULT.append(total)
            total -= 1
    """,
    "recursion": """
        def depth(n):
            if n == 0:
                return 0
            return 1 + depth(n - 1)
        for i in range(N):
            RESULT[:] = [depth(3 if i < N - 1 else 0)]
    """,
    "except*": """
        def count(n):
            total = 0
            for i in range(n):
                try:
                    if i == n - 1:
                        raise ExceptionGroup("some", [ValueError(1)])
                    total += 1
                except* ValueError:
                    total += 100
            return total
        RESULT.append(count(N))
    """,
}

HOT_CONSTRUCTS = {
    "hot_" + "".join(c if c.isalnum() else "_" for c in name): _PRELUDE + textwrap.dedent(text)
    for name, text in _TEXTS.items()
}
