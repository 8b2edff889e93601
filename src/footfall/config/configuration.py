"""The settings of a run and of its reports: read from coverage.py's own files and keys, then ours.

coverage.py's precedence: defaults, the first configuration file found, environment variables, the command line. A
project with settings for coverage.py gets coverage.py's totals, so branches are measured only with `branch = true`;
without such settings they are always measured. `[tool.footfall]` of a TOML file adds `rate` (samples per second),
`engine`, `fail_under_files` (PATTERN=MIN), `ratchet` (a file), `tests_always` and `tests_by_file` (PATTERN=TESTS), and,
as true or false, `branch`, `profile`, `native`, `precise` and `async`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from footfall.errors import UsageError

__all__ = [
    "KNOWN",
    "SECTIONS",
    "WITHOUT_EFFECT",
    "Config",
    "canonical_finder",
    "canonical_path",
    "canonical_paths",
    "check_concurrency",
    "check_engine",
    "check_patches",
    "check_rate",
    "check_sampling",
    "field_of_option",
    "is_without_effect",
    "kind_of_option",
    "make_patterns_absolute",
    "names_test_functions",
    "shown_path",
    "system_path",
]

DEFAULT_RATE_HZ: Final = 1000
MAX_RATE_HZ: Final = 100_000

# (section, option) -> (field of Config, kind as in configfile)
KNOWN: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("run", "branch"): ("branch", "flag"),
    ("run", "command_line"): ("command_line", "text"),
    ("run", "context"): ("context", "text"),
    ("run", "cover_pylib"): ("cover_pylib", "flag"),
    ("run", "data_file"): ("data_file", "file"),
    ("run", "dynamic_context"): ("dynamic_context", "text"),
    ("run", "disable_warnings"): ("disable_warnings", "list"),
    ("run", "include"): ("run_include", "list"),
    ("run", "omit"): ("run_omit", "list"),
    ("run", "parallel"): ("parallel", "flag"),
    ("run", "patch"): ("patch", "list"),
    ("run", "plugins"): ("plugins", "list"),
    ("run", "relative_files"): ("relative_files", "flag"),
    ("run", "source"): ("source", "list"),
    ("run", "source_pkgs"): ("source_pkgs", "list"),
    ("run", "source_dirs"): ("source_dirs", "list"),
    ("report", "contexts"): ("report_contexts", "list"),
    ("report", "exclude_lines"): ("exclude_lines", "patterns"),
    ("report", "exclude_also"): ("exclude_also", "patterns"),
    ("report", "fail_under"): ("fail_under", "float"),
    ("report", "format"): ("format", "text"),
    ("report", "ignore_errors"): ("ignore_errors", "flag"),
    ("report", "include_namespace_packages"): ("include_namespace_packages", "flag"),
    ("report", "partial_branches_always"): ("partial_branches_always", "patterns"),
    ("report", "partial_branches"): ("partial_branches", "patterns"),
    ("report", "partial_also"): ("partial_also", "patterns"),
    ("report", "precision"): ("precision", "int"),
    ("report", "include"): ("report_include", "list"),
    ("report", "omit"): ("report_omit", "list"),
    ("report", "show_missing"): ("show_missing", "flag"),
    ("report", "skip_covered"): ("skip_covered", "flag"),
    ("report", "skip_empty"): ("skip_empty", "flag"),
    ("report", "sort"): ("sort", "text"),
    ("html", "directory"): ("html_directory", "file"),
    ("html", "title"): ("html_title", "text"),
    ("json", "output"): ("json_output", "file"),
    ("json", "pretty_print"): ("json_pretty_print", "flag"),
    ("json", "show_contexts"): ("json_show_contexts", "flag"),
    ("lcov", "line_checksums"): ("lcov_line_checksums", "flag"),
    ("lcov", "output"): ("lcov_output", "file"),
    ("xml", "output"): ("xml_output", "file"),
    ("xml", "package_depth"): ("xml_package_depth", "int"),
    ("tool.footfall", "branch"): ("branch", "flag"),
    ("tool.footfall", "rate"): ("rate_hz", "int"),
    ("tool.footfall", "profile"): ("profile", "flag"),
    ("tool.footfall", "native"): ("native", "flag"),
    ("tool.footfall", "precise"): ("precise", "flag"),
    ("tool.footfall", "async"): ("with_tasks", "flag"),
    ("tool.footfall", "engine"): ("engine", "text"),
    ("tool.footfall", "fail_under_files"): ("fail_under_files", "list"),
    ("tool.footfall", "ratchet"): ("ratchet", "file"),
    ("tool.footfall", "tests_always"): ("tests_always", "list"),
    ("tool.footfall", "tests_by_file"): ("tests_by_file", "list"),
}

ENGINES: Final = ("monitoring", "probes", "settrace")

SECTIONS: Final = ("run", "report", "html", "xml", "json", "lcov")

# coverage.py's own options that have no effect here and cause no warning: (section, option) -> kind as in configfile
WITHOUT_EFFECT: Final[dict[tuple[str, str], str]] = {
    ("run", "concurrency"): "list",
    ("run", "core"): "text",
    ("run", "debug"): "list",
    ("run", "debug_file"): "file",
    ("run", "sigterm"): "flag",
    ("run", "timid"): "flag",
    ("run", "_crash"): "text",
    ("html", "extra_css"): "text",
    ("html", "skip_covered"): "flag",
    ("html", "skip_empty"): "flag",
    ("html", "show_contexts"): "flag",
}

_CONCURRENCIES: Final = frozenset({"thread", "gevent", "greenlet", "eventlet", "multiprocessing"})
_LIGHT_THREADS: Final = frozenset({"gevent", "greenlet", "eventlet"})
_PATCHES: Final = frozenset({"_exit", "execv", "fork", "subprocess"})


@dataclass(slots=True)
class Config:
    """Every setting, with its default. Paths are as written (relative to the current directory)."""

    # what is measured, and where it goes
    source: list[str] = field(default_factory=list)
    source_pkgs: list[str] = field(default_factory=list)
    source_dirs: list[str] = field(default_factory=list)
    command_line: str = ""
    run_include: list[str] = field(default_factory=list)
    run_omit: list[str] = field(default_factory=list)
    branch: bool = True
    profile: bool = True
    rate_hz: int | None = None
    """Samples per second; None: DEFAULT_RATE_HZ, or fewer if that many cost too much."""
    precise: bool = False
    native: bool = False
    with_tasks: bool = False
    """Each thread walks its own stack, in a signal handler."""
    engine: str = ""
    """monitoring, probes or settrace; empty: the interpreter's default."""
    context: str = ""
    data_file: str = ".coverage"
    usual_data_file: str = ".coverage"
    """That of the files of settings: what commands without an option and without COVERAGE_FILE read."""
    parallel: bool = False
    patch: list[str] = field(default_factory=list)
    """coverage.py's ways to measure child processes and their ends, which are measured without it; "subprocess" sets
    `parallel`, as in coverage.py, so that the `combine` that follows has something to combine.
    """
    relative_files: bool = False
    disable_warnings: list[str] = field(default_factory=list)
    without_effect: dict[str, object] = field(default_factory=dict)
    """coverage.py's settings that have no effect here, as they were given: "section:option" -> value."""
    # coverage.py's; only read to report that they have no effect
    dynamic_context: str = ""
    cover_pylib: bool = False
    # coverage.py's plugins, their own options by name, and those that do more than set options, or failed
    plugins: list[str] = field(default_factory=list)
    plugin_options: dict[str, dict[str, object]] = field(default_factory=dict)
    unapplied_plugins: list[str] = field(default_factory=list)
    acting_plugins: dict[str, list[str]] = field(default_factory=dict)
    """What plugins have replaced in coverage.py and the standard library, by plugin (config/acting_plugins.py)."""
    made_plugins: list[Any] = field(default_factory=list)
    """All plugins that the modules made, of any kind: each may report the files for which the data names it."""
    context_plugins: list[Any] = field(default_factory=list)
    """Plugins that name contexts, as their modules made them."""
    file_tracers: list[Any] = field(default_factory=list)
    """Plugins that measure files (templates), as their modules made them."""
    # what counts: None keeps coverage.py's defaults
    exclude_lines: list[str] | None = None
    exclude_also: list[str] = field(default_factory=list)
    partial_branches: list[str] | None = None
    partial_also: list[str] = field(default_factory=list)
    partial_branches_always: list[str] | None = None
    # reports
    report_include: list[str] = field(default_factory=list)
    report_omit: list[str] = field(default_factory=list)
    report_contexts: list[str] = field(default_factory=list)
    format: str = "text"
    fail_under: float = 0.0
    fail_under_files: list[str] = field(default_factory=list)
    ratchet: str = ""
    tests_always: list[str] = field(default_factory=list)
    tests_by_file: list[str] = field(default_factory=list)
    precision: int = 0
    show_missing: bool = False
    skip_covered: bool = False
    skip_empty: bool = False
    sort: str = "name"
    ignore_errors: bool = False
    include_namespace_packages: bool = False
    html_directory: str = "htmlcov"
    html_title: str = "footfall report"
    json_output: str = "coverage.json"
    json_pretty_print: bool = False
    json_show_contexts: bool = False
    lcov_output: str = "coverage.lcov"
    lcov_line_checksums: bool = False
    xml_output: str = "coverage.xml"
    xml_package_depth: int = 99
    paths: dict[str, list[str]] = field(default_factory=dict)
    """Name -> [the path here, other machines' paths as patterns...]."""
    # where all this came from
    config_file: str | None = None
    config_files_attempted: list[str] = field(default_factory=list)
    config_files_read: list[str] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    """(slug, text) of problems that do not stop us."""

    @property
    def concurrency(self) -> list[str]:
        """coverage.py's setting of that name, which has no effect here."""
        choices = self.without_effect.get("run:concurrency")
        return choices if isinstance(choices, list) else []


def field_of_option(option_name: str) -> str | None:
    """Return the field of Config that coverage.py's "section:option" sets, None if there is none."""
    section, _, option = option_name.partition(":")
    known = KNOWN.get((section, option))
    return None if known is None else known[0]


def kind_of_option(option_name: str) -> str:
    """Return the kind, as in configfile, of the value of coverage.py's "section:option"; "" if there is none."""
    section, _, option = option_name.partition(":")
    known = KNOWN.get((section, option))
    return WITHOUT_EFFECT.get((section, option), "") if known is None else known[1]


def is_without_effect(option_name: str) -> bool:
    """Return whether "section:option" is one of coverage.py's options that have no effect here."""
    section, _, option = option_name.partition(":")
    return (section, option) in WITHOUT_EFFECT


def check_concurrency(choices: Iterable[str]) -> None:
    """Raise UsageError (`config-value`) for a `concurrency` that coverage.py refuses: most often a misspelling."""
    unknown = set(choices) - _CONCURRENCIES
    if unknown:
        raise UsageError(
            "config-value",
            f"Unknown concurrency choices: {', '.join(sorted(unknown))}.",
            f"Choose of {', '.join(sorted(_CONCURRENCIES))}, or leave it out: all of them are measured without it.",
        )
    light = set(choices) & _LIGHT_THREADS
    if len(light) > 1:
        raise UsageError(
            "config-value",
            f"Conflicting concurrency settings: {', '.join(sorted(light))}.",
            "Name one of them, or none: all are measured without it.",
        )


def names_test_functions(config: Config) -> bool:
    """Return whether functions named test* begin contexts. Raises UsageError (`config-value`) for another word."""
    if config.dynamic_context in ("", "none", "test_function"):
        return config.dynamic_context == "test_function"
    raise UsageError(
        "config-value",
        f"Don't understand dynamic_context setting: {config.dynamic_context!r}.",
        "Choose test_function or none.",
    )


def check_patches(patches: Iterable[str]) -> None:
    """Raise UsageError (`config-value`) for a name in `patch` that coverage.py does not know."""
    for patch in patches:
        if patch not in _PATCHES:
            raise UsageError(
                "config-value",
                f"Unknown patch {patch!r}.",
                f"coverage.py has {', '.join(sorted(_PATCHES))}; footfall needs none of them.",
            )


def check_rate(rate_hz: int | None) -> None:
    """Raise UsageError (`bad-rate`) if a sampling rate is out of range."""
    if rate_hz is not None and not 1 <= rate_hz <= MAX_RATE_HZ:
        raise UsageError(
            "bad-rate",
            f"The sampling rate is {rate_hz}; it must be 1 to {MAX_RATE_HZ} samples per second.",
            "The default, up to 1000, suits most programs; leave it out, or use --no-profile.",
        )


def check_sampling(config: Config) -> None:
    """Raise UsageError (`bad-rate`, `async-precise`) if a program can't be sampled as the configuration says."""
    check_rate(config.rate_hz)
    if config.precise and config.with_tasks:
        raise UsageError(
            "async-precise",
            "--async can't be combined with --precise, by which each thread reads its own stack and sees no tasks.",
            "Leave out --async or --precise.",
        )
    if config.native and config.with_tasks:
        raise UsageError(
            "async-precise",
            "--async can't be combined with --native, by which each thread reads its own stacks and sees no tasks.",
            "Leave out --async or --native.",
        )


def check_engine(engine: str) -> None:
    if engine and engine not in ENGINES:
        raise UsageError(
            "bad-engine",
            f"There is no engine {engine!r} ([tool.footfall] engine).",
            f"Choose one of {', '.join(ENGINES)}, or leave it out: the default is the quickest that is exact.",
        )


def canonical_path(path: str) -> str:
    """Return the absolute path with links resolved, as coverage.py names files."""
    return os.path.abspath(os.path.realpath(system_path(path)))


def canonical_finder() -> Callable[[str], str]:
    """Return a function that gives the `canonical_path` of paths; a folder that many have is looked up once."""
    folders: dict[str, str] = {}

    def find(path: str) -> str:
        folder, name = os.path.split(path)
        if name in ("", os.curdir, os.pardir) or os.path.islink(path):
            return canonical_path(path)
        if folder not in folders:
            folders[folder] = find(folder)
        return os.path.join(folders[folder], name)

    return lambda path: find(system_path(path))


def canonical_paths(paths: Iterable[str]) -> list[str]:
    """Return the `canonical_path` of each path."""
    return [*map(canonical_finder(), paths)]


def system_path(path: str) -> str:
    """Return a path from a data file, which is UTF-8, as Python names it here: it differs in the old C locale."""
    return path if path.isascii() else os.fsdecode(path.encode("utf-8", "surrogateescape"))


def shown_path(path: str) -> str:
    """Return a path as reports show it: relative if it is below the current directory."""
    shown = path.removeprefix(os.getcwd().rstrip("/") + "/")
    if shown.isascii():
        return shown
    return shown.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")  # see canonical_path


_BAD_GLOB: Final = re.compile(r"\*\*\*|[^/]\*\*|\*\*[^/]|\*\*/\*\*|^\*\*$|\[[^\]]*$|^[^\[]*\]")


def make_patterns_absolute(patterns: Iterable[str]) -> list[str]:
    """Prepare file patterns for matching: each as written and, unless it starts with a wildcard, relative to here.

    Raises UsageError (`bad-glob`) for a pattern that coverage.py would refuse.
    """
    prepared: list[str] = []
    for pattern in patterns:
        if found := _BAD_GLOB.search(pattern):
            raise UsageError(
                "bad-glob",
                f"The file pattern {pattern!r} can't include {found[0]!r}.",
                "Use * within a folder, ** alone between slashes, and [] in pairs.",
            )
        prepared.append(pattern)
        if not pattern.startswith(("*", "?")):
            prepared.append(canonical_path(pattern))
    return prepared
