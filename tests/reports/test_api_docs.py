"""The examples of docs/api.md run as they stand, and print what they say."""

import re
import subprocess
import sys

import pytest

from conftest import REPOSITORY

EXAMPLES = re.findall(
    r"^```python\n(.*?)^```", (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8"), re.M | re.S
)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_run(number, tmp_path):
    """Each `print(...)  # text` of an example prints the text."""
    text = EXAMPLES[number]
    done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == re.findall(r"^print\(.*\)  # (.*)$", text, re.M)


def test_there_are_examples():
    """The page has examples of each part."""
    assert len(EXAMPLES) == 4
