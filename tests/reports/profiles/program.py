import sys
import threading
import time


def leaf(n):
    total = 0
    for i in range(n):
        total += i * i
    return total


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


class Work:
    def run(self, until):
        while time.monotonic() < until:
            leaf(4000)
            fib(7)


def main():
    until = time.monotonic() + float(sys.argv[1])
    if len(sys.argv) == 2:
        Work().run(until)
        return
    thread = threading.Thread(target=Work().run, args=(until,), name="worker one")
    thread.start()
    Work().run(until)
    thread.join()


main()
