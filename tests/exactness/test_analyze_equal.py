"""The source analysis against coverage.py's own, over random programs and the standard library."""

import io
import random
import tokenize

import pytest

pytest.importorskip("coverage", minversion="7.17")

from analyze_oracle import CoverageFailure, find_differences, standard_library
from footfall.analyze.source.analysis import SourceError, decode_source
from footfall.analyze.source.exclude import ExclusionRules
from programs.generated import generate_program

pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")


@pytest.mark.parametrize("first_seed", range(0, 80, 20))
def test_random_programs(first_seed: int) -> None:
    """Statements, exclusions, arcs, numbers and regions of random programs equal coverage.py's."""
    for seed in range(first_seed, first_seed + 20):
        try:
            differences = find_differences(generate_program(seed), f"program {seed}", ExclusionRules(), seed)
        except CoverageFailure:
            continue
        assert not differences


def test_standard_library() -> None:
    """The same holds for 40 files of the standard library."""
    paths = [path for path in standard_library() if path.stat().st_size < 20_000]
    for path in random.Random(7).sample(paths, 40):
        data = path.read_bytes()
        try:
            text = decode_source(data)
        except SourceError:
            with pytest.raises(SyntaxError):  # one of the library's own samples of what is no source
                tokenize.detect_encoding(io.BytesIO(data).readline)
            continue
        assert not find_differences(text, str(path), ExclusionRules())


@pytest.mark.parametrize("seed", range(12))
def test_programs_run_the_same_each_time(seed: int) -> None:
    """A random program ends without an error and computes the same again."""
    code = compile(generate_program(seed), "program.py", "exec")
    results = []
    for _ in range(2):
        namespace: dict[str, object] = {"__name__": "__main__"}
        exec(code, namespace)
        results.append(namespace["RESULT"])
    assert results[0] == results[1]
    assert results[0]
