"""Function bodies for `flow_constructs`, with what `-O` and `-OO` drop: asserts, `__debug__`, docstrings."""

__all__ = ["OPTIMIZED_BODIES"]

OPTIMIZED_BODIES = {
    "asserts that alone are bodies": (
        "if a:\n    assert a\nelif a is None: assert a\nelse:\n    assert not a\n    assert a == 0\nreturn 1", "0, 1"
    ),
    "assert on the line of an if": ("if a: assert a; x = 1\nif not a: x = 1; assert not a\nif a: assert a\nreturn 1", "0, 1"),
    "assert before a branch on its line": ("assert a is not None; x = 1 if a else 2\nif a: assert a; return 2\nassert 1; return 1", "0, 1"),
    "assert behind a jump": ("while True:\n    if a: break; assert 0\n    return 1; assert 0\nreturn 2", "0, 1"),
    "assert between a branch and its end": ("if a:\n    x = 1\nassert a is not None\nif a:\n    x = 2\nassert a is not None", "0, 1"),
    "assert that ends a function behind a branch": ("if a: x = 1\nassert a is not None", "0"),
    "assert that ends a function behind a loop": ("for i in range(a): x = 1\nassert a is not None, '''two\nlines'''", "0, 2"),
    "assert that ends a one-line loop": ("for i in range(a): assert a\nwhile a: a -= 1; assert a >= 0\nwhile a: assert 0\nreturn 1", "0, 2"),
    "asserts in every part of a loop": ("for i in range(a):\n    if i: continue\n    assert not i\nelse:\n    assert 1\nreturn 1", "0, 2"),
    "asserts in every part of a try": ("try:\n    assert a\nexcept AssertionError:\n    assert not a\nelse:\n    assert a\nfinally:\n    assert 1\nreturn 2", "0, 1"),
    "asserts in every part of a one-line try": ("try: assert a\nexcept AssertionError: assert not a\nelse: assert a\nfinally: assert 1\nreturn 2", "0, 1"),
    "assert that ends a try behind a branch": ("try:\n    if a: x = 1\n    assert 1\nfinally:\n    if a: x = 2\n    assert 1\nreturn 2", "0, 1"),
    "assert that ends a finally which an exception enters": ("try:\n    try:\n        if a: boom()\n    finally:\n        x = 1\n        assert 1\nexcept ValueError: x = 2\nreturn 1", "0, 1"),
    "assert that alone is a finally which an exception enters": ("try:\n    try:\n        if a: boom()\n    finally:\n        assert 1\nexcept ValueError: x = 2\nreturn 1", "0, 1"),
    "assert that alone is a finally on its line": ("try:\n    try:\n        if a: boom()\n    finally: assert 1\nexcept ValueError: x = 2\nreturn 1", "0, 1"),
    "global that alone is a finally which an exception enters": ("try:\n    try:\n        if a: boom()\n    finally:\n        global zz\nexcept ValueError: x = 2\nreturn 1", "0, 1"),
    "assert in a finally that a branch ends": ("try:\n    if a: return 3\nfinally:\n    assert 1\n    if a:\n        assert 1\nreturn 1", "0, 1"),
    "assert that ends a clause with a name": ("try: boom()\nexcept ValueError as e:\n    if a == 0: x = 1\n    elif a == 1: x = 2\n    assert 1", "0, 1, 2"),
    "assert in a clause of an except group": ("try: raise ExceptionGroup('g', [ValueError()])\nexcept* KeyError: assert 1\nexcept* ValueError:\n    if a: x = 1\n    assert 1\nreturn 1", "0, 1"),
    "assert that ends a with": ("with Guard(True):\n    if a: boom()\n    assert a == 0\nwith Guard():\n    assert a is not None\n    x = 1\nreturn 2", "0, 1"),
    "assert in cases": ("match a:\n    case 0: assert a == 0\n    case 1:\n        assert a\n    case 2:\n        assert a; x = 1\nassert 1\nreturn 2", "0, 1, 2, 3"),
    "assert in the last case": ("match a:\n    case 0: x = 1\n    case _: assert a", "0, 1"),
    "functions of nothing but asserts": ("def f():\n    assert 1\ndef g(): assert 1; assert 2\ndef h():\n    '''text'''\n    assert 1\nf(); g(); h()\nclass C: assert 1\nclass D:\n    assert 1\nreturn 1", "0"),
    "assert as the first statement": ("assert a is not None, boom\nfor i in range(a):\n    assert i is not None\n    if i: x = 1", "0, 2"),
    "lambda in an assert": ("assert (lambda: a)() == a\nx = lambda: 1; assert 1\nreturn x()", "1"),
    "yield behind an assert": ("def g():\n    assert 1; yield 1\n    assert (yield 2) is None\nreturn list(g())", "0"),
    "debug as a condition": ("if __debug__:\n    x = 1\nelse:\n    x = 2\nif not __debug__: x = 3\nif a and __debug__: x = 4\nif a or not __debug__: x = 5\nwhile __debug__:\n    return x\nreturn 1", "0, 1"),
    "debug around asserts": ("if __debug__:\n    assert a is not None\nif __debug__: assert 1\nx = 1 if __debug__ else 2\nreturn x", "1"),
    "docstrings that alone are bodies": ("def f(): '''text'''\ndef g():\n    '''two\n    lines'''\nclass C: '''text'''\nclass D:\n    '''text'''\n    def h(self): '''text'''; return 1\nf(); g(); D().h()\nreturn C.__name__", "0"),
    "docstring before a branch on its line": ("def f(b): '''text'''; return b\ndef g(b):\n    '''text'''; assert b is not None\n    if b: x = 1\nreturn f(a), g(a)", "0, 1"),
    "text behind a docstring": ("def f():\n    '''one'''\n    '''two'''\n    global zz\nif a: '''text'''\nreturn f()", "0, 1"),
}  # fmt: skip
