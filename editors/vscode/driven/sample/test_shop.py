import threading

import shop


def test_price():
    assert shop.price(2, False) == 6


def test_member():
    assert shop.price(5, True) == 14


def test_busy():
    helper = threading.Thread(target=shop.busy, args=(0.6,), name="helper")
    helper.start()
    assert shop.busy(0.6) > 0
    helper.join()
