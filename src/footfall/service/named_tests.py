"""The tests that a data file has contexts of, by name."""

from __future__ import annotations

from footfall.analyze.test_costs import contexts_of_test, name_of_test
from footfall.config.configuration import Config
from footfall.errors import FootfallError
from footfall.record.data.contexts_of_lines import read_contexts
from footfall.record.data.test_times import read_test_times

__all__ = ["need_contexts_of", "no_contexts"]


def need_contexts_of(config: Config, test: str) -> list[str]:
    """Return the patterns that select one test's contexts; "" is what ran outside tests.

    Raises FootfallError (`no-contexts`, `test-unknown`).
    """
    if not test:
        return [contexts_of_test(test)]
    names = {name_of_test(label) for label in read_contexts(config.data_file)}
    if test not in names and test not in map(name_of_test, read_test_times(config.data_file)):
        if not any(names):
            raise no_contexts(config)
        raise FootfallError(
            "test-unknown",
            f"{config.data_file} has no test {test!r:.200}.",
            "`footfall query tests` names those it has.",
        )
    return [contexts_of_test(test)]


def no_contexts(config: Config) -> FootfallError:
    """Return the error for data that does not say which test ran what."""
    return FootfallError(
        "no-contexts",
        f"{config.data_file} does not say which test ran what.",
        "Record it with `pytest --footfall --footfall-context=test`.",
    )
