"""Write a suite of 5,000 tests, to see whether the editor stays quick: `python make_suite.py DIRECTORY`.

50 modules of 24 functions each, a core that every test runs in a way of its own, and 100 test files with 50 tests each.
"""

import pathlib
import sys

N_MODULES = 50
N_FUNCTIONS = 24
N_TEST_FILES = 100
N_TESTS = 50
N_RULES = 120

CORE = '''"""What all modules use: each rule is run by tests of its own."""


def apply(value):
    total = 0
{rules}    return total


def spin(count):
    return sum(number * number for number in range(count))
'''
RULE = """    if value % {divisor} == {rest}:
        total += {divisor} if value > {limit} else {rest}
"""
FUNCTION = '''

def step_{number}(value):
    """Add up in a way of its own."""
    total = core.apply(value + {number}) + core.spin({work})
    if value % {divisor} == 0:
        total -= {number}
    elif value > 4900:
        total += value
    for each in range(value % 7):
        if each > {number} and total > 10:
            total += each
    return total
'''
TEST = """

def test_{number}():
    assert {module}.step_{function}({value}) is not None
"""


def main(directory: str) -> None:
    root = pathlib.Path(directory)
    package = root / "app"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("")
    rules = "".join(RULE.format(divisor=3 + number, rest=number % 3, limit=40 * number) for number in range(N_RULES))
    (package / "core.py").write_text(CORE.format(rules=rules))
    for at in range(N_MODULES):
        functions = "".join(
            FUNCTION.format(number=number, divisor=2 + (at + number) % 9, work=200 + 40 * number)
            for number in range(N_FUNCTIONS)
        )
        (package / f"part_{at}.py").write_text(f'"""Part {at}."""\n\nfrom app import core\n{functions}')
    tests = root / "tests"
    tests.mkdir(exist_ok=True)
    (root / "conftest.py").write_text("")
    for at in range(N_TEST_FILES):
        modules = [(at + shift) % N_MODULES for shift in (0, 7, 19)]
        text = "".join(f"from app import part_{module}\n" for module in sorted(modules))
        for number in range(N_TESTS):
            module = f"part_{modules[number % len(modules)]}"
            text += TEST.format(
                number=number, module=module, function=number % N_FUNCTIONS, value=N_TESTS * at + number
            )
        (tests / f"test_part_{at}.py").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
