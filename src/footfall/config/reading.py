"""The settings in effect in a directory: from coverage.py's own files, the environment, and plugins."""

from __future__ import annotations

import os
from collections.abc import Iterator

from footfall.config.configfile import SettingsFile, open_settings_file
from footfall.config.configuration import (
    KNOWN,
    SECTIONS,
    WITHOUT_EFFECT,
    Config,
    check_concurrency,
    check_engine,
    check_sampling,
)
from footfall.errors import UsageError

__all__ = ["read_config", "read_config_for"]


def read_config(config_file: str | None = None, *, branch: bool = True, with_plugins: bool = True) -> Config:
    """Read the settings in effect in the current directory.

    `config_file` is the file that the user named: only that file is read then, and it must exist. Otherwise
    COVERAGE_RCFILE names one, or it is the first of coverage.py's usual files with settings for it. `branch` says
    whether branches are measured if there is no such file; if there is one, coverage.py's default applies, which is not
    to. Without `with_plugins`, the caller lets coverage.py's plugins set options later. Raises UsageError
    (`config-missing`, `config-syntax`, `config-value`, `bad-rate`, `bad-engine`).
    """
    config = Config(branch=False)
    named = config_file or os.environ.get("COVERAGE_RCFILE") or None
    if named == ".coveragerc":
        named = None  # coverage.py takes that name to mean the usual places, the first of which it is
    if named is not None:
        found = _open(config, named, is_own=True)
        if found is None:
            raise UsageError(
                "config-missing",
                f"Couldn't read {named!r} as a config file.",
                "Give the name of a file that is there, or leave the option out.",
            )
        _apply(config, found)
        config.config_file = os.path.abspath(named)
        if named.endswith(".toml"):
            _apply_own(config, found)
    else:
        _read_usual_files(config, branch)
    _apply_environment(config)
    config.parallel = config.parallel or "subprocess" in config.patch
    check_sampling(config)
    check_engine(config.engine)
    check_concurrency(config.concurrency)
    if config.plugins and with_plugins:
        from footfall.config.plugins import apply_plugins  # only loaded for projects that have some

        apply_plugins(config)
    config.warnings += _ignored_settings(config)
    return config


def read_config_for(source: list[str] | None) -> Config:
    """Read the settings in effect in the current directory, with `source` in place of their directories and packages.

    Raises TypeError for a single name that is not in a list, and the same errors as `read_config`.
    """
    if isinstance(source, str):
        raise TypeError(f"source is a list of directories and packages: source=[{source!r}]")
    config = read_config()
    if source is not None:
        config.source = source
    return config


def _open(config: Config, name: str, is_own: bool) -> SettingsFile | None:
    """Open a file for coverage.py's settings, and record that it was tried and read."""
    config.config_files_attempted.append(os.path.abspath(name))
    found = open_settings_file(name, is_own)
    if found is not None:
        config.config_files_read.append(os.path.abspath(name))
    return found


def _apply_environment(config: Config) -> None:
    config.usual_data_file = config.data_file
    config.data_file = os.environ.get("COVERAGE_FILE") or config.data_file
    if debug := os.environ.get("COVERAGE_DEBUG"):
        before = config.without_effect.get("run:debug")
        added = [name.strip() for name in debug.split(",")]
        config.without_effect["run:debug"] = [*before, *added] if isinstance(before, list) else added
    if core := os.environ.get("COVERAGE_CORE"):
        config.without_effect["run:core"] = core


def _ignored_settings(config: Config) -> Iterator[tuple[str, str]]:
    """Yield (slug, text) for each setting that would make coverage.py's numbers different from ours."""
    if config.cover_pylib:
        yield "cover-pylib-ignored", "cover_pylib has no effect: the standard library is not measured."


def _read_usual_files(config: Config, branch: bool) -> None:
    """Take coverage's settings from the first file that has any, and ours from the TOML files.

    `branch` is the default if no file has any.
    """
    for name, is_own in (
        (".coveragerc", True),
        (".coveragerc.toml", True),
        ("setup.cfg", False),
        ("tox.ini", False),
        ("pyproject.toml", False),
    ):
        found = _open(config, name, is_own)
        if found is not None and (_apply(config, found) or is_own):
            config.config_file = os.path.abspath(name)
            break
    else:
        config.branch = branch
    for name in ("pyproject.toml", ".coveragerc.toml"):
        found = open_settings_file(name, is_own=False)
        if found is not None:
            _apply_own(config, found)


def _apply(config: Config, found: SettingsFile) -> bool:
    """Apply all coverage.py settings of a file; return whether there were any."""
    is_used = False
    for section in SECTIONS:
        is_used = _apply_section(config, found, section) or is_used
    for name in found.options("paths"):
        patterns = found.read("paths", name, "list")
        if isinstance(patterns, list):
            config.paths[name] = [os.path.expanduser(pattern) for pattern in patterns]
            is_used = True
    for name in config.plugins:
        config.plugin_options[name] = {option: found.read_plainly(name, option) for option in found.options(name)}
    return is_used


def _apply_own(config: Config, found: SettingsFile) -> None:
    _apply_section(config, found, "tool.footfall")


def _apply_section(config: Config, found: SettingsFile, section: str) -> bool:
    is_used = False
    for option in found.options(section):
        if (section, option) in KNOWN:
            field_name, kind = KNOWN[section, option]
            setattr(config, field_name, found.read(section, option, kind))
        elif (section, option) in WITHOUT_EFFECT:
            config.without_effect[f"{section}:{option}"] = found.read(section, option, WITHOUT_EFFECT[section, option])
        else:
            text = f"Unrecognized option '[{found.section_name(section)}] {option}=' in config file {found.path}."
            config.warnings.append(("config-unknown", text))
            continue
        is_used = True
    return is_used
