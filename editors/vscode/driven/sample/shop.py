"""Prices and orders: enough code for marks of each kind."""

import time


def price(amount, is_member):
    total = amount * 3
    if is_member and total > 10:
        total -= 1
    if total > 1000:
        total = 1000
    return total


def busy(seconds):
    end = time.perf_counter() + seconds
    total = 0
    while time.perf_counter() < end:
        total += squares(2000)
    return total


def squares(count):
    return sum(number * number for number in range(count))


def refund(amount):
    if amount < 0:
        raise ValueError(amount)
    return -amount
