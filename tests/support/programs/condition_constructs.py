"""Programs with conditions, and which outcomes their operands never have."""

# source -> what of its operands was never seen
MEASURED = {
    "and in an if: one operand only true": ("def f(a, b):\n if a and b > 0:\n  pass\nf(1, 0); f(1, 1)", {"a": "F"}),
    "the only operand of an if is told by lines": ("a = 1\nif a:\n b = 2", {}),
    "the only operand of an if on one line": ("a = 1\nif a: b = 2", {"a": "F"}),
    "the only operand of a while is told": ("a = 1\nwhile a:\n a = 0", {}),
    "an operand that was never reached": ("a = b = 1\nif a or b: pass", {"a": "F", "b": "TF"}),
    "the value of an and is not tested": ("a = b = 1\nx = a and b", {"a": "F"}),
    "or around and: the value is tested": ("a = b = c = 1\nx = (a and b) or c", {"a": "F", "b": "F"}),
    "and in and, one position for both": ("a = b = 1; c = d = 0\nx = ((a and b) and c) and d", {"a": "F", "b": "F", "c": "T"}),
    "not changes sides": ("a = 0\nx = not a and 1\nif not a and not x: pass", {"a": "T", "a ": "T", "x": "F"}),
    "a ternary": ("a = 0\nx = 1 if a else 2", {"a": "T"}),
    "a chain in a test": ("a = 1\nif 0 < a < 2: pass", {"0 < a": "F", "a < 2": "F"}),
    "a chain as a value": ("a = 1\nx = 0 < a < 2", {"0 < a": "F"}),
    "a chain in an and": ("a = 1\nx = (0 < a < 2) and a", {"0 < a": "F", "0 < a < 2": "F"}),
    "ifs of a comprehension": ("x = [i for i in (1, 2) if i is not None if i > 1]", {"i is not None": "F"}),
    "if of a generator": ("x = list(i for i in (None, 1) if i is None or i > 0)", {"i > 0": "F"}),
    "an assertion": ("a = 1\nassert a, 'text'", {"a": "F"}),
    "a guard": ("a = 1\nmatch a:\n case 1 if a == 1:\n  pass", {"a == 1": "F"}),
    "is None": ("a = None\nif a is None or a: pass", {"a is None": "F", "a": "TF"}),
    "is not None": ("a = None\nx = 1 if a is not None else 2", {"a is not None": "T"}),
    "constants are no operands": ("a = 1\nif 1 and a: x = 1 and a or 0", {"a": "F", "a ": "F"}),
    "copies of a finally are one": (
        "def f(a):\n try:\n  if a: return 1\n finally:\n  x = 0 < a < 3 and a\nf(0); f(1)",
        {"0 < a < 3": ""},
    ),
    "a function that never ran": ("def f(a): return a and 1", {"a": "TF"}),
    "dropped code": ("if 0:\n x = a and b", {}),
    "a lambda on a line that ran": ("f = lambda a: a and 1", {"a": "TF"}),
    "with around a condition": ("import contextlib\na = contextlib.nullcontext(); b = 0\nwith b or a: pass", {"b": "T"}),
    "characters, not bytes": ("é = 'ü'\nx = é and 'ö' and é", {"é": "F"}),
}  # fmt: skip
