"""Small programs, one for each way that control can flow; the differential tests run them under both engines.

`CONSTRUCTS` maps a name that reads as a sentence to the program's text. `PRELUDE` begins each of them.
"""

from programs.optimized_constructs import OPTIMIZED_BODIES

__all__ = ["CONSTRUCTS", "PRELUDE"]

PRELUDE = """\
import contextlib
def boom(*args): raise ValueError(args)
def attempt(function, *args):
    try: return function(*args)
    except ValueError: return None
class Guard:
    def __init__(self, swallows=False): self.swallows = swallows
    def __enter__(self): return self
    def __exit__(self, *error): return self.swallows
    async def __aenter__(self): return self
    async def __aexit__(self, *error): return self.swallows
class Count:
    def __init__(self, stop, fails=False): self.left, self.fails = stop, fails
    def __aiter__(self): return self
    async def __anext__(self):
        if self.left == 0: raise ValueError if self.fails else StopAsyncIteration
        self.left -= 1
        return self.left
def drive(coroutine):
    try:
        while True: coroutine.send(None)
    except StopIteration as stop: return stop.value
"""

_BODIES = {
    "raise in a one-line if": ("if a: raise ValueError\nreturn 1", "0"),
    "return in a one-line if": ("if a: return 1\nreturn 2", "0"),
    "one-line if at the end": ("if a: print()", "0"),
    "one-line if that ran": ("if a: len('')\nreturn 2", "1"),
    "one-line if and else": ("if a: len('')\nelse: len('a')\nreturn 2", "1"),
    "one-line body that raises, with else": (
        "try:\n    if a: boom()\n    else: len('')\n    len('b')\nfinally:\n    pass",
        "0, 1",
    ),
    "condition that raises at the end": ("if boom(a):\n    len('')", "1"),
    "condition that raises and is false": ("if a and boom(): return 1\nreturn 2", "0, 1"),
    "condition that raises inside try finally": (
        "try:\n    if a and boom():\n        len('')\nfinally:\n    len('')",
        "1",
    ),
    "condition that raises inside with": ("with Guard(True):\n    if boom(a):\n        len('')\nreturn 2", "1"),
    "loop that raises at the end": ("for i in boom():\n    len('')", "1"),
    "elif chain": (
        "if a == 0:\n    x = 1\nelif a == 1:\n    x = 2\nelif a == 2:\n    x = 3\nelse:\n    x = 4\nreturn x",
        "0, 2",
    ),
    "one-line elif chain": ("if a == 0: x = 1\nelif a == 1: x = 2\nelse: x = 4\nreturn x", "1"),
    "nested if": ("if a:\n    if a > 1:\n        x = 1\nreturn 1", "0, 1"),
    "and over two lines": ("if (a and\n    a > 1):\n    return 1\nreturn 2", "0, 1"),
    "or over three lines": ("if (a or\n    len('') or\n    len('x')):\n    return 1\nreturn 2", "0"),
    "not": ("if not a:\n    return 1\nreturn 2", "1"),
    "ternary": ("x = (1 if a\n    else 2)\nreturn x", "1"),
    "chained comparison": ("if 0 < a < 3:\n    return 1\nreturn 2", "0, 5"),
    "walrus": ("if (n := a) > 1:\n    return n", "0"),
    "constant if": ("if 0:\n    x = 1\nelse:\n    x = 2\nif 1: x = 3\nreturn x", "1"),
    "assert that holds": ("assert a, 'no'\nreturn 1", "1"),
    "assert that fails": ("try:\n    assert not a\nexcept AssertionError:\n    pass", "1"),
    "while true with break": ("while True:\n    a -= 1\n    if a < 0: break\nreturn a", "2"),
    "while true with one-line continue": (
        "n = 0\nwhile True:\n    n += 1\n    if n != 2:\n        if n: continue\n    return n",
        "1",
    ),
    "while with else": ("while a:\n    a -= 1\nelse:\n    a = 5\nreturn a", "0, 2"),
    "while with else and break": ("while a:\n    a -= 1\n    if a == 1: break\nelse:\n    a = 5\nreturn a", "2"),
    "while on one line": ("while a: a -= 1\nreturn a", "2"),
    "while that raises on one line": ("while a: boom()\nreturn a", "0, 1"),
    "while with a double condition": ("while a and a < 5:\n    a += 1\nreturn a", "3"),
    "for on one line": ("for i in range(a): len('')\nreturn 1", "0"),
    "for with else": ("for i in range(a):\n    if i == 1:\n        break\nelse:\n    return 1\nreturn 2", "0, 3"),
    "for with continue": ("for i in range(a):\n    if i: continue\n    len('')\nreturn 1", "3"),
    "for that never started": ("for i in ():\n    len('')\nreturn 1", "3"),
    "for that only breaks": ("for i in range(a):\n    break\nreturn 1", "3"),
    "for that only breaks, then raise": ("for i in range(a):\n    break\nraise ValueError", "3, 0"),
    "for that only breaks, then raise, never begun": (
        "for i in range(a):\n    len('')\n    break\nraise ValueError",
        "0",
    ),
    "for that only breaks, then raise, begun": ("for i in range(a):\n    len('')\n    break\nraise ValueError", "1"),
    "for that only breaks, then a raise that is caught": (
        "try:\n    for i in range(a):\n        break\n    raise ValueError\nexcept ValueError: len('')\nreturn 1",
        "0, 2",
    ),
    "for that only breaks, then a raise that finally passes on": (
        "try:\n    for i in range(a):\n        break\n    raise ValueError\nfinally: len('')",
        "0",
    ),
    "for that only breaks, then raise in a class": (
        "class K:\n    for i in range(a):\n        break\n    raise ValueError",
        "0",
    ),
    "for that only breaks, then raise, in a loop": (
        "while a:\n    a -= 1\n    try:\n        for i in range(a):\n            break\n        raise ValueError\n    except ValueError: continue",
        "1, 3",
    ),
    "for that only breaks, then boom": ("for i in range(a):\n    break\nboom()", "0"),
    "for that only breaks, then assert": ("for i in range(a):\n    break\nassert a > 5", "0"),
    "for that only breaks, then raise of two lines": ("for i in range(a):\n    break\nraise ValueError(\n    a)", "0"),
    "for with an if that breaks either way, then raise": (
        "for i in range(a):\n    if i:\n        break\n    else: break\nraise ValueError",
        "0",
    ),
    "for whose iterator raises": ("def it():\n    yield 1\n    boom()\nfor i in it():\n    len('')\nreturn 1", "3"),
    "for left by return": ("for i in range(a):\n    return i", "1"),
    "nested loops": (
        "for i in range(a):\n    for j in range(i):\n        if j: break\n    else:\n        continue\n    break\nreturn 1",
        "3",
    ),
    "try except": ("try:\n    x = 1\nexcept ValueError:\n    x = 2\nreturn x", "1"),
    "try except that ran": ("try:\n    boom()\nexcept ValueError:\n    x = 2\nreturn x", "1"),
    "try except else finally": (
        "try:\n    if a: boom()\nexcept ValueError:\n    x = 2\nelse:\n    x = 3\nfinally:\n    len('')\nreturn x",
        "0",
    ),
    "raise to a handler on one line": (
        "try:\n    if a: raise ValueError\n    x = 1\nexcept ValueError:\n    x = 2\nreturn x",
        "0",
    ),
    "raise to a second handler": (
        "try:\n    if a: raise KeyError\n    x = 1\nexcept ValueError: x = 2\nexcept KeyError as e: x = 3\nreturn x",
        "1",
    ),
    "handler that does not match": ("try:\n    boom()\nexcept KeyError:\n    pass", "1"),
    "handler on one line with a raise behind its jump": (
        "try:\n    try: boom()\n    except KeyError: return; raise TypeError\n    x = 1\nexcept ValueError: x = 2\nreturn x",
        "0",
    ),
    "handler on one line with a raise behind its jump, in finally": (
        "try:\n    try: boom()\n    except KeyError: return; raise TypeError\n    finally: x = 1\nexcept ValueError: x = 2\nreturn x",
        "0",
    ),
    "handlers of a group on one line with a raise behind a raise": (
        "try:\n    try: raise ExceptionGroup('g', [ValueError()])\n    except* KeyError: raise TypeError; raise KeyError\n    x = 1\n"
        "except* ValueError: x = 2\nreturn x",
        "0",
    ),
    "bare except that raises again": ("try:\n    boom()\nexcept:\n    if a: raise\nreturn 1", "0, 1"),
    "return through finally": ("try:\n    if a: return 1\nfinally:\n    len('')\nreturn 2", "0"),
    "break through finally": (
        "for i in range(a):\n    try:\n        if i: break\n    finally:\n        len('')\nreturn 2",
        "1, 3",
    ),
    "continue through finally": (
        "for i in range(a):\n    try:\n        if i: continue\n        len('')\n    finally:\n        len('')\nreturn 2",
        "3",
    ),
    "if in a finally": ("try:\n    len('')\nfinally:\n    if a:\n        len('x')\nreturn 2", "0"),
    "if in a finally of an exception": ("try:\n    boom()\nfinally:\n    if a:\n        len('x')\nreturn 2", "0"),
    "if in a finally both ways": ("try:\n    if a: boom()\nfinally:\n    if a:\n        len('x')\nreturn 2", "0, 1"),
    "except* on one line that raises, at the end of a finally": (
        "try:\n    if a: boom()\nfinally:\n    try:\n        raise ExceptionGroup('', [KeyError()])\n    except* KeyError:\n        len('')\n    except* OSError: raise ValueError\nreturn 2",
        "1",
    ),
    "except* on one line that raises, in a try at the end of a finally": (
        "for i in range(2):\n    try:\n        if a: break\n    finally:\n        try:\n            try: raise ExceptionGroup('', [KeyError()])\n            except* OSError: len(''); raise ValueError\n        except* KeyError: len('a')\nreturn 2",
        "1",
    ),
    "raise in a one-line if, in a finally within one of an exception": (
        "try:\n    if a: boom()\nfinally:\n    try:\n        x = 3\n    finally:\n        if a: raise ValueError\n        x = 4\n    x = 5\nreturn 2",
        "1",
    ),
    "condition that raises on the line of a raise, in a finally within one of an exception": (
        "try:\n    if a: boom()\nfinally:\n    try:\n        x = 3\n    finally:\n        if a and boom(): raise ValueError\n        x = 4\n    x = 5\nreturn 2",
        "1",
    ),
    "raise in a one-line if, in a finally within two of which an exception entered the outermost": (
        "try:\n    if a: boom()\nfinally:\n    try:\n        if a > 1: boom()\n    finally:\n        try:\n            x = 3\n        finally:\n            if a: raise ValueError\n            x = 4\n        x = 5\n    x = 6\nreturn 2",
        "1",
    ),
    "raise in a one-line if, in a finally within two that exceptions entered": (
        "try:\n    if a: boom()\nfinally:\n    try:\n        if a > 1: boom()\n    finally:\n        try:\n            x = 3\n        finally:\n            if a: raise ValueError\n            x = 4\n        x = 5\n    x = 6\nreturn 2",
        "2",
    ),
    "condition that raises on the line of a raise, in a finally within two": (
        "try:\n    if a: boom()\nfinally:\n    try:\n        if a > 1: boom()\n    finally:\n        try:\n            x = 3\n        finally:\n            if a and boom(): raise ValueError\n            x = 4\n        x = 5\n    x = 6\nreturn 2",
        "1",
    ),
    "condition that raises in a finally within two that exceptions entered": (
        "try:\n    if a: boom()\nfinally:\n    try:\n        if a > 1: boom()\n    finally:\n        try:\n            x = 3\n        finally:\n            if a and boom(): x = 7\n            x = 4\n        x = 5\n    x = 6\nreturn 2",
        "2",
    ),
    "raise in a one-line if, in a finally that ends one of an exception": (
        "try:\n    if a: boom()\nfinally:\n    try:\n        x = 3\n    finally:\n        if a: raise ValueError\n        x = 4\nreturn 2",
        "1",
    ),
    "return in a finally": ("try:\n    boom()\nfinally:\n    return 2", "1"),
    "nested finally": (
        "try:\n    try:\n        if a: return 1\n    finally:\n        len('')\nfinally:\n    len('a')\nreturn 3",
        "0, 1",
    ),
    "return through a finally that ends with another": (
        "try:\n    if a: return 1\nfinally:\n    try: len('')\n    finally:\n        if a > 5: boom()\nreturn 2",
        "1",
    ),
    "break through a finally that ends with another": (
        "for i in range(3):\n    try:\n        if a: break\n    finally:\n        try: len('')\n        finally:\n            if a > 5: boom()\nreturn 2",
        "1",
    ),
    "raise through a finally that ends with another": (
        "try:\n    boom()\nfinally:\n    try: len('')\n    finally:\n        if a > 5: boom()\nreturn 2",
        "1",
    ),
    "return that fails before a raise on its line": (
        "try: return boom(); raise ValueError\nexcept ValueError: len('')\nreturn 2",
        "1",
    ),
    "finally left by an exception and entered by one": (
        "try:\n    boom()\nfinally:\n    if a: raise KeyError\n    x = 1\n    y = 2",
        "0, 1",
    ),
    "finally entered by an exception and not run to its end": (
        "try:\n    boom()\nfinally:\n    if a:\n        x = 1\n    elif a is None:\n        x = 2",
        "0, 1",
    ),
    "finally with a definition": (
        "try:\n    if a: boom()\nfinally:\n    if a: len('')\n    elif a == 2: len('a')\n    else:\n        def f(): pass\nreturn 2",
        "0, 1",
    ),
    "finally with a class": ("try:\n    boom()\nfinally:\n    if a > 1: boom()\n    class C:\n        x = 1", "0, 2"),
    "finally with a loop that is left": (
        "try:\n    boom()\nfinally:\n    while a:\n        if a == 1: break\n        a -= 1",
        "2, 0",
    ),
    "finally with a match": (
        "try:\n    boom()\nfinally:\n    match a:\n        case 1: len('')\n        case 2: x = 1",
        "0, 1, 2",
    ),
    "finally on one line in a finally": (
        "try:\n    boom()\nfinally:\n    if a: len('')\n    try: len('')\n    finally: raise KeyError; x = 1\n    y = 1",
        "0, 1",
    ),
    "return that fails in a finally": (
        "try:\n    try: len('')\n    finally: return boom(); assert a\n    x = 1\nexcept ValueError: len('')\nreturn 2",
        "0, 1",
    ),
    "finally in a finally": (
        "try:\n    boom()\nfinally:\n    if a: len('')\n    try:\n        if a == 1: boom()\n    finally:\n        if a:\n            len('')\n        elif a == 3: x = 2",
        "0, 1, 2",
    ),
    "try in a try, both with a finally": (
        "try:\n    try:\n        if a: boom()\n    finally:\n        if a > 5: len('')\nfinally:\n    if a > 6: len('')\nreturn 2",
        "1",
    ),
    "finally that ends with a try and its else": (
        "try:\n    if a: boom()\nfinally:\n    try:\n        for i in range(2):\n            x = i\n    except KeyError: x = 1\n    else:\n        if a: x = 2\nreturn 2",
        "0, 1",
    ),
    "finally of an exception that ends with a try and its else": (
        "try:\n    boom()\nfinally:\n    try:\n        while a:\n            a -= 1\n    except KeyError: x = 1\n    else: x = 2",
        "0, 1",
    ),
    "finally of a return that ends with a try and its else": (
        "try: return 1\nfinally:\n    try:\n        if a: x = 1\n    except KeyError: x = 1\n    else: x = 2",
        "0, 1",
    ),
    "loop in a finally": ("try:\n    boom()\nfinally:\n    for i in range(a): len('')", "1"),
    "try in a loop": (
        "for i in range(a):\n    try:\n        if i == 1: boom()\n    except ValueError:\n        continue\n    len('')",
        "3",
    ),
    "except group": (
        "try:\n    if a: raise ExceptionGroup('g', [ValueError()])\nexcept* ValueError:\n    x = 1\nexcept* KeyError:\n    x = 2\nreturn 3",
        "0, 1",
    ),
    "except group on one line": (
        "try: raise ExceptionGroup('g', [ValueError(), KeyError()])\nexcept* ValueError: x = 1\nexcept* KeyError: x = 2; del x",
        "1",
    ),
    "except* that raises again from one of its lines": (
        "try:\n    if a: raise ExceptionGroup('', [ValueError()] + [KeyError()] * (a > 2))\nexcept* ValueError:\n    if a == 1: x = 1\n    elif a == 3: x = 2\n    else: x = 3\nreturn 2",
        "0, 1, 3",
    ),
    "except* with cases, one of which raises": (
        "try:\n    raise ExceptionGroup('', [ValueError()])\nexcept* ValueError:\n    match a:\n        case 0: x = 1\n        case 1: boom()\n        case 2: x = 2\n        case _: x = 3\nreturn 2",
        "0, 2, 1",
    ),
    "except* in the last line of an except*": (
        "try:\n    raise ExceptionGroup('', [ValueError()])\nexcept* ValueError:\n    if a == 9: x = 1\n    else:\n        try: raise ExceptionGroup('', [ValueError()])\n        except* ValueError:\n            if a == 1: x = 1\n            elif a == 2: boom()\n            elif a == 3: x = 3\nreturn 2",
        "0, 1, 3, 9, 2",
    ),
    "except* that is left by a recursion": (
        "try:\n    if a: raise ExceptionGroup('', [ValueError()] + [KeyError()] * (a == 3))\nexcept* ValueError:\n    if a == 1: x = f(0)\n    elif a == 2: x = f(1)\n    elif a == 3: x = f(2)\nreturn 2",
        "3",
    ),
    "except* with a yield": (
        "def g(n):\n    try:\n        raise ExceptionGroup('', [ValueError()] + [KeyError()] * n)\n    except* ValueError:\n        if n: yield 1\n        elif a: yield 2\n    return 3\nones = [g(0), g(1), g(0)]\nfor one in ones: next(one, None)\nfor one in ones:\n    try: next(one, None)\n    except* KeyError: a = 0",
        "1",
    ),
    "except* with a name and a test": (
        "try:\n    if a: raise ExceptionGroup('', [ValueError()] + [KeyError()] * (a == 3))\nexcept* ValueError as e:\n    if a == 1: x = 1\n    if a == 3: x = 2\nexcept* TypeError as e:\n    if a == 2: x = 3\nreturn 2",
        "0, 1, 3",
    ),
    "handler with an if that only raises": (
        "try:\n    try: boom()\n    except ValueError:\n        if a: boom()\n        else: x = 1\n    y = 1\nexcept ValueError: x = 3\nreturn 1",
        "0, 1",
    ),
    "handler with ifs that only raise": (
        "try:\n    try: boom()\n    except ValueError:\n        if a == 1: boom()\n        elif a == 2: boom()\n        else: x = 1\n    y = 1\nexcept ValueError: x = 3\nreturn 1",
        "0, 1, 2",
    ),
    "handler with cases, one of which raises": (
        "try:\n    try: boom()\n    except ValueError:\n        match a:\n            case 1: boom()\n            case 2: x = 2\n            case _: x = 1\n    y = 1\nexcept ValueError: x = 3\nreturn 1",
        "0, 1, 2",
    ),
    "handler in a with, with an if that only raises": (
        "with Guard(True):\n    try: boom()\n    except ValueError:\n        if a: boom()\n        else: x = 1\n    y = 1\nreturn 1",
        "0, 1",
    ),
    "handler that ends a with, with an if that only raises": (
        "with Guard(True):\n    try: boom()\n    except ValueError:\n        if a: boom()\n        else: x = 1\nreturn 1",
        "0, 1",
    ),
    "finally in a with, with an if that only raises": (
        "try:\n    with Guard(True):\n        try: boom()\n        finally:\n            if a: boom()\n            else: return 1\n    y = 1\nexcept ValueError: pass\nreturn 1",
        "0, 1",
    ),
    "except* in an except* after an if that only raises": (
        "try:\n    try: boom()\n    except ValueError:\n        try: raise ExceptionGroup('', [ValueError()])\n        except* ValueError:\n            if a == 1: boom()\n            elif a == 2: x = 2\n            else: x = 1\n    y = 1\nexcept* ValueError: x = 3\nreturn 1",
        "0, 1",
    ),
    "except group that ends with a loop": (
        "try: raise ExceptionGroup('g', [ValueError(), KeyError()])\nexcept* KeyError: x = 1\nexcept* ValueError:\n    for i in range(a): len('')",
        "0, 2",
    ),
    "except group that ends with a test": (
        "try: raise ExceptionGroup('g', [ValueError()])\nexcept* KeyError: x = 1\nexcept* ValueError:\n    if a:\n        x = 2",
        "0",
    ),
    "except group that ends with a case": (
        "try: raise ExceptionGroup('g', [ValueError()])\nexcept* ValueError:\n    match a:\n        case 1: x = 1\n        case 2: x = 2",
        "0, 2",
    ),
    "except group that ends with a raise": (
        "try:\n    try: raise ExceptionGroup('g', [ValueError()])\n    except* ValueError: raise KeyError(\n        a); x = 1\n    with Guard(): raise ValueError\n    raise ValueError\nexcept BaseException: len('')\nreturn 2",
        "1",
    ),
    "branches that meet before another case": (
        "match a:\n    case int():\n        if a > 4: x = 1\n        elif a: assert a\n    case _: x = 2\nreturn 1",
        "5, 0",
    ),
    "except group that ends with either of two tests": (
        "try:\n    if a == 1: raise ExceptionGroup('g', [KeyError()])\n    if a: raise ExceptionGroup('g', [ValueError()])\nexcept* KeyError: x = 1\nexcept* ValueError:\n    if a > 3: x = 2\n    elif a > 2:\n        x = 3\nelse:\n    if a: x = 4",
        "0, 1, 2",
    ),
    "except group that ends with a loop and its else": (
        "try: raise ExceptionGroup('g', [ValueError()])\nexcept* ValueError as e:\n    for i in range(a):\n        if a > 1: break\n        elif a > 2: continue\n    else:\n        if a > 3:\n            x = 1",
        "0, 1, 2",
    ),
    "except group that ends with a with or a while": (
        "if a:\n    try: raise ExceptionGroup('g', [ValueError()])\n    except* ValueError:\n        if a > 1:\n            with Guard(): x = 1\nelse:\n    try: raise ExceptionGroup('g', [ValueError()])\n    except* ValueError:\n        x = 1\n        while a:\n            a = 0",
        "0, 1",
    ),
    "except group that ends with a finally or a handler": (
        "if a:\n    try: raise ExceptionGroup('g', [ValueError()])\n    except* KeyError: x = 1\n    except* ValueError:\n        if a > 1: x = 3\n        else:\n            try: x = 1\n            finally:\n                if a > 1: x = 2\nelse:\n    try: raise ExceptionGroup('g', [ValueError()])\n    except* ValueError:\n        try: boom()\n        except ValueError:\n            if a: x = 1",
        "0, 1",
    ),
    "except group in an except group at the end": (
        "try:\n    try: raise ExceptionGroup('g', [ValueError(), KeyError()])\n    except* ValueError:\n        if a: x = 1\n    except* KeyError:\n        if a > 1: raise ValueError\n        x = 2\nexcept* ValueError:\n    if a > 2:\n        x = 3",
        "0, 1, 2",
    ),
    "branches that meet behind the last case": (
        "match a:\n    case 5:\n        for i in range(a):\n            if i: break\n        else: x = 1\n    case 4:\n        while a:\n            a -= 1\n            if a < 2: break\n    case int():\n        if a > 2: x = 1\n        elif a > 1:\n            x = 2\nreturn 1",
        "0, 3, 4, 5",
    ),
    "case of nothing but a declaration": (
        "match a:\n    case 0:\n        global g\n    case 1:\n        if a > 1: y = 1\n        global h\nreturn 1",
        "0, 1",
    ),
    "finally that ends with a case of branches": (
        "for i in range(2):\n    try:\n        if a: break\n    finally:\n        match a:\n            case 0 | 1:\n                if a > 1: x = 1\n                elif a:\n                    x = 2\n            case _: x = 3\nreturn 1",
        "0, 1, 2",
    ),
    "case that ends with a case": (
        "match a:\n    case int():\n        match a:\n            case 0:\n                x = 1\n            case 1:\n                if a > 1: x = 2\n                elif a > 2: x = 3\n    case _: x = 4",
        "0, 1, 2",
    ),
    "branches that meet before an else": (
        "if a < 9:\n    if a > 4: x = 1\n    elif a:\n        x = (1,\n            2)[0]\nelse: x = 3\nreturn 1",
        "5, 0",
    ),
    "case that is not met at the end": (
        "match a:\n    case 5: return 1\n    case 1:\n        x = 1\n        len('')",
        "0, 5",
    ),
    "dead code at the end": ("if a: return 1\nelse: return 2\nx = 3", "0, 1"),
    "dead else of a loop at the end": ("while True:\n    a -= 1\n    if a < 0: break\nelse: x = 1", "2"),
    "dead else in a finally": (
        "try:\n    boom()\nfinally:\n    if 1: x = 1\n    else:\n        x = (2,\n            3)[0]",
        "1",
    ),
    "finally with nothing but pass": ("try:\n    if a: boom()\nfinally:\n    pass", "0, 1"),
    "finally of an exception with nothing but pass": ("try:\n    boom()\nfinally: pass", "1"),
    "finally that ends with text": ("try:\n    boom()\nfinally:\n    x = 1\n    'text'", "1"),
    "handler that raises again after a clause": (
        "try:\n    try: boom()\n    except KeyError:\n        len('')\n    finally:\n        x = 1\nexcept ValueError: x = 2\nreturn x",
        "1",
    ),
    "with": ("with Guard():\n    x = 1\nreturn x", "1"),
    "with on one line": ("with Guard(): x = 1\nreturn x", "1"),
    "with on one line that raises": ("with Guard(True): boom()\nreturn 1", "1"),
    "with and a comprehension on one line": ("with Guard(): x = [i for i in range(3)]\nreturn x", "1"),
    "two managers on one line that raise": (
        "try:\n    with Guard(), Guard(a): raise ValueError\n    x = 1\nexcept ValueError:\n    x = 2",
        "0, 1",
    ),
    "if at the end of with": ("with Guard():\n    if a:\n        x = 1\nreturn 2", "0"),
    "raise at the end of with": ("with Guard(True):\n    if a: raise ValueError\n    x = 1\nreturn 2", "0"),
    "return through with": ("with Guard():\n    if a:\n        return 1\nreturn 2", "1"),
    "break through with": ("for i in range(a):\n    with Guard():\n        if i: break\nreturn 2", "1, 2"),
    "continue through with": (
        "for i in range(a):\n    with Guard():\n        if i: continue\n        len('')\nreturn 2",
        "2",
    ),
    "two managers over two lines": ("with (Guard(),\n    Guard(True)):\n    if a: boom()\n    x = 1\nreturn 2", "0, 1"),
    "nested with": ("with Guard():\n    with Guard(True):\n        if a:\n            boom()\nreturn 2", "0"),
    "with in a loop": ("for i in range(a):\n    with Guard(True):\n        if i == 1: boom()\n        len('')", "3"),
    "with that raises out of the function": ("with Guard():\n    while a: raise ValueError\nreturn 1", "1"),
    "with in try finally": ("try:\n    with Guard():\n        if a: return 1\nfinally:\n    len('')\nreturn 2", "0, 1"),
    "match": (
        "match a:\n    case 0:\n        x = 1\n    case 1 | 2:\n        x = 2\n    case _:\n        x = 3\nreturn x",
        "0, 5",
    ),
    "match without a default": ("match a:\n    case 0:\n        x = 1\n    case 1: x = 2\nreturn 2", "0"),
    "match that always falls through": ("match a:\n    case 0: x = 1\nreturn 2", "7"),
    "match with guards": (
        "match a:\n    case int() if a > 5:\n        x = 1\n    case int(y) if y:\n        x = 2\nreturn 2",
        "0, 1",
    ),
    "match with a guard that raises": (
        "match a:\n    case int() if boom():\n        x = 1\n    case _: x = 2\nreturn 2",
        "0",
    ),
    "match on shapes": (
        "match (a, {'k': a}):\n    case (0, {'k': v}): x = v\n    case (x, {'z': _}): pass\n    case [x, *rest]: pass\nreturn 2",
        "0, 1",
    ),
    "match, then a not taken if": ("match a:\n    case 0:\n        if a: x = 1\n    case _: x = 2\nreturn 2", "0"),
    "match at the end": ("match a:\n    case 0:\n        x = 1", "0, 1"),
    "list comprehension": ("x = [i for i in range(a) if i]\nif x:\n    return 1", "1"),
    "comprehension over lines": ("x = [\n    i\n    for i in range(a)\n    if i\n]\nreturn x", "3"),
    "comprehension that raises": ("x = [boom(i) for i in range(a)]\nif x: return 1", "0, 1"),
    "generator expression": ("return any(i\n    for i in range(a))", "3"),
    "dict and set comprehensions": ("x = {i: i for i in range(a)}; y = {i for i in x}\nreturn x", "3"),
    "lambda": ("f = lambda x: x + 1\nif a: return f(1)", "0, 1"),
    "lambda over lines": ("f = (lambda x:\n    x + 1)\nreturn f(1)", "1"),
    "lambda that never ran": ("f = lambda: 1\nreturn 2", "1"),
    "nested function": ("def inner():\n    if a:\n        return 1\nreturn inner()", "0"),
    "one-line function": ("def inner(): return 1\nreturn inner()", "0"),
    "one-line function that never ran": ("def inner(): return 1\nreturn 2", "0"),
    "one-line function that raises": ("def inner(): boom()\nreturn inner()", "0"),
    "decorated function": ("@(lambda f: f)\n@(lambda f:\n    f)\ndef inner():\n    return 1\nreturn inner()", "0"),
    "class body": (
        "class Inner:\n    x = 1\n    if a:\n        y = 2\n    def m(self): return 1\nreturn Inner().m()",
        "0",
    ),
    "one-line class": ("class Inner: x = 1\nreturn 2", "0"),
    "class body that raises": ("class Inner: x = boom()\nreturn 2", "0"),
    "defaults over lines": ("def inner(\n    x=1,\n    y=len(''),\n): return x\nreturn inner()", "0"),
    "call over lines": ("x = max(\n    a,\n    2,\n)\nif (\n    x\n): return 1", "0"),
    "string over lines": ("x = '''\na\n'''\nreturn x", "0"),
    "semicolons": ("x = 1; y = 2; return x", "0"),
    "raise from": ("try:\n    boom()\nexcept ValueError as e:\n    raise ValueError from e", "0"),
    "del, global and annotation": ("global g\ng = 1\ndel g\nx: int = 1\nreturn x", "0"),
    "import": ("import os, sys\nfrom os import path\nif a: import re", "0"),
    "unpacking": ("x, *y = (1,\n    2)\nreturn [*y,\n    x]", "0"),
    "generator": ("def g():\n    for i in range(3):\n        yield i\n    return 4\nreturn list(g())", "0"),
    "generator not run to its end": ("def g():\n    yield 1\n    yield 2\nreturn next(g())", "0"),
    "generator closed in a try": (
        "def g():\n    try:\n        yield 1\n    finally:\n        if a: len('')\nit = g(); next(it); it.close()",
        "0",
    ),
    "generator closed on one line": ("def g(): yield 1\nit = g(); next(it); it.close()", "0"),
    "generator that gets a throw": (
        "def g():\n    try:\n        if a: yield 1\n        yield 2\n    except ValueError:\n        yield 3\nit = g(); next(it); it.throw(ValueError)",
        "0, 1",
    ),
    "yield in a condition": (
        "def g():\n    if (yield 1):\n        return 2\nit = g(); next(it)\ntry: it.send(a)\nexcept StopIteration: pass",
        "0",
    ),
    "one-line yield": (
        "def g():\n    for i in range(3):\n        if i: yield i\n    if a: yield 9\nreturn list(g())",
        "0",
    ),
    "yield from what raises": (
        "def g():\n    if a: yield from (boom(i) for i in range(2))\n    else: return\nreturn list(g())",
        "0, 1",
    ),
    "yield that an exception is thrown into, again": (
        "def g():\n    while a:\n        try: yield\n        except ValueError: x = 1\nit = g(); next(it); it.throw(ValueError); it.throw(ValueError); next(it)",
        "1",
    ),
    "finally that raises instead of a return": (
        "try:\n    try: return 7\n    finally:\n        if a: boom()\nfinally:\n    if a == 2: x = 1\n    if a == 5: x = 2",
        "1",
    ),
    "finally that raises instead of a return, left by an assert": (
        "try:\n    try: return 7\n    finally: x = 1; boom()\nfinally:\n    if a: boom()\n    if a == 7: x = 1\n    else: assert a == 0; pass",
        "1",
    ),
    "finally that raises instead of a continue": (
        "for i in 0, 1, 2:\n    try:\n        try:\n            if i: continue\n        finally:\n            if a == i: boom()\n    finally:\n        for j in range(a): x = j\nreturn 2",
        "1",
    ),
    "finally that breaks instead of a return": (
        "try:\n    for i in 0, 1:\n        try: return 7\n        finally:\n            if a: break\n    if a == 2: boom()\nfinally:\n    if a == 1: x = 1",
        "2",
    ),
    "finally that continues instead of a return": (
        "try:\n    while a:\n        a -= 1\n        try: return 7\n        finally: continue\n    boom()\nfinally:\n    if a == 1: x = 1",
        "2",
    ),
    "finally in a finally, both left by a break": (
        "for i in 0, 1:\n    try:\n        try:\n            if a: break\n        finally: x = 1\n    finally:\n        if i: x = 2\nelse: x = 3\nreturn x",
        "0, 1",
    ),
    "with that ends a branch of a clause that ends the function": (
        "try: boom()\nexcept ValueError as e:\n    if a == 0: x = 1\n    elif a == 1:\n        with Guard(): x = 2\n    else:\n        x = 3",
        "1",
    ),
    "with that ends the last tested branch of such a clause": (
        "try: boom()\nexcept ValueError as e:\n    if a == 0: x = 1\n    elif a == 1:\n        with Guard(): x = 2\n    elif a == 2:\n        x = 3",
        "1, 5",
    ),
    "with that ends the first branch of such a clause": (
        "try: boom()\nexcept ValueError as e:\n    if a == 0:\n        with Guard(True): boom()\n    elif a == 1: x = 2\n    else: return 3",
        "0",
    ),
    "with behind a try in such a clause": (
        "try: boom()\nexcept ValueError as e:\n    if a == 0:\n        try: x = 1\n        except KeyError: x = 2\n    elif a == 1:\n        with Guard(), Guard(): x = 3\n    else: x = 4",
        "1",
    ),
    "if that ends a branch of a clause that ends the function": (
        "try: boom()\nexcept ValueError as e:\n    if a == 0:\n        if a > 9: x = 1\n    else:\n        x = 3",
        "0",
    ),
    "if with an else that ends a branch of such a clause": (
        "try: boom()\nexcept ValueError as e:\n    if a == 0: x = 1\n    elif a == 1:\n        if a > 9:\n            x = 2\n        elif a == 1:\n            x = 3\n        else: x = 4\n    elif a == 2:\n        x = 5",
        "1",
    ),
    "if a > 9ehind an if in such a clause": (
        "try: boom()\nexcept ValueError as e:\n    if a == 0:\n        if a > 9: x = 1\n    elif a == 1:\n        if a > 9:\n            x = 2\n    else:\n        return 1",
        "0, 1",
    ),
    "with in a clause without a name that ends the function": (
        "try: boom()\nexcept ValueError:\n    if a == 0: x = 1\n    elif a == 1:\n        with Guard(): x = 2\n    else: x = 3",
        "1",
    ),
    "yield from": ("def g():\n    if a: yield from ()\n    x = yield from [1]\nreturn list(g())", "0"),
    "context manager function": (
        "@contextlib.contextmanager\ndef cm():\n    try: yield 1\n    finally:\n        if a: len('')\nwith cm(): boom()",
        "0",
    ),
    "recursion": ("def f(n):\n    if n: return f(n - 1)\n    return n\nreturn f(a)", "2"),
    "star arguments": ("def f(*x, **y):\n    if y: return x\nreturn f(*[1], **{})", "2"),
    "f-string": ("x = f'{a!r:>{5}}'\nif f'{a}': return x", "2"),
    "type alias and type parameters": (
        "type X = int\ndef f[T](x: T) -> T: return x\nclass C[T]: y: T\nreturn f(1)",
        "2",
    ),
    "exception in an argument": (
        "try:\n    if len(boom()): return 1\n    return 2\nexcept ValueError:\n    return 3",
        "1",
    ),
    "always raising call that returns": (
        "try:\n    if a: return boom()\n    x = 1\nexcept ValueError: x = 2\nreturn x",
        "0, 1",
    ),
    **OPTIMIZED_BODIES,
    "stop iteration out of next": (
        "try:\n    if next(iter(())): x = 1\nexcept StopIteration:\n    x = 2\nreturn x",
        "0",
    ),
}

_ASYNC = {
    "async for": ("async for i in Count(a):\n    len('')\nreturn 1", "0, 2"),
    "async for on one line": ("async for i in Count(a): len('')\nreturn 1", "0"),
    "async for with else": ("async for i in Count(a):\n    if i: break\nelse:\n    return 1\nreturn 2", "0, 2"),
    "async for left only by break": ("async for i in Count(a):\n    break\nreturn 2", "2"),
    "async for that raises": ("async for i in Count(a, True):\n    len('')\nreturn 2", "1"),
    "async for that raises after a break": ("async for i in Count(a, True):\n    break\nreturn 2", "0, 1"),
    "async comprehension": ("x = [i async for i in Count(a) if i]\nif x: return 1", "0, 3"),
    "async with": ("async with Guard():\n    if a:\n        x = 1\nreturn 2", "0"),
    "async with that swallows": ("async with Guard(True): boom()\nreturn 2", "0"),
    "async with that ends with an unfinished chain": (
        "async with Guard():\n    if a == 0: x = 1\n    elif a == 1: len('')\n    elif a == 2:\n        x = 3\nreturn 2",
        "0, 1, 5",
    ),
    "async with that ends with a loop": (
        "async with Guard():\n    while True:\n        a -= 1\n        if a < 0: break\nreturn 2",
        "2",
    ),
    "async with that ends with a for": (
        "async with Guard():\n    for i in range(a):\n        if i: break\nreturn 2",
        "0, 2",
    ),
    "async with that ends with a try": (
        "async with Guard():\n    try:\n        if a: boom()\n    finally:\n        if a: x = 1\nreturn 2",
        "0",
    ),
    "async with in an async with": (
        "async with Guard():\n    async with Guard(True):\n        if a: boom()\n        elif a is None: x = 2\nreturn 2",
        "0, 1",
    ),
    "async with over two lines": ("async with (Guard(),\n    Guard(True)):\n    if a: boom()\nreturn 2", "0, 1"),
    "await that raises behind a test": ("async def f():\n    boom()\nif a: await f()\nelse: return 2", "0, 1"),
    "await that raises in an async generator": (
        "async def f():\n    boom()\nasync def g():\n    yield 1\n    if a: await f(); boom()\n    else: return\nasync for i in g(): len('')",
        "0, 1",
    ),
    "await that raises in a loop and is caught": (
        "async def f():\n    boom()\nwhile a:\n    a -= 1\n    try: await f()\n    except ValueError: len('')\nreturn 2",
        "2",
    ),
    "await in a condition": ("async def f(): return a\nif await f():\n    return 1", "0"),
    "async generator": ("async def g():\n    yield 1\n    if a: yield 2\nasync for i in g(): len('')", "0"),
    "async generator not run to its end": ("async def g():\n    yield 1\n    yield 2\nasync for i in g(): break", "0"),
}


def _function(body: str, arguments: str, head: str, call: str) -> str:
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    calls = "".join(f"{call.format(argument.strip())}\n" for argument in arguments.split(","))
    return f"{PRELUDE}{head} f(a):\n{lines}{calls}"


def _at_module_level(body: str, argument: str) -> str:
    return f"{PRELUDE}a = {argument.split(',')[0]}\n{body}\n"


CONSTRUCTS = {
    **{name: _function(body, args, "def", "attempt(f, {})") for name, (body, args) in _BODIES.items()},
    **{
        f"{name} (async)": _function(body, args, "async def", "attempt(drive, f({}))")
        for name, (body, args) in (_BODIES | _ASYNC).items()
        if "yield from" not in name
    },
    **{
        f"{name} (module)": _at_module_level(body, args)
        for name, (body, args) in _BODIES.items()
        if "return" not in body.replace("return 1\n", "").split("def ")[0] and "return" not in body
    },
}
