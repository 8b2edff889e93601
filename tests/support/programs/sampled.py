"""Programs whose stacks are hard to read correctly, for both ways of sampling.

`until(seconds)` is prepended to them.
"""

PROGRAMS = {
    "deep recursion across chunks": """
    def down(n):
        return down(n - 1) if n else 0
    for _ in until(1.5):
        down(5000)
    """,
    "threads that start and end": """
    def down(n):
        return down(n - 1) if n else 0
    for _ in until(1.5):
        threads = [threading.Thread(target=down, args=(300,)) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """,
    "generators within generators": """
    def count(n):
        if n:
            yield from count(n - 1)
        yield n
    for _ in until(1.5):
        for _ in count(100): pass
    """,
}
