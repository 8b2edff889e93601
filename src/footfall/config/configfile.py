"""One configuration file, ini or TOML, as typed settings, in which `config` looks up each known key.

Sections have coverage.py's names ("run", "report", "paths"); each kind of file has its own prefixes. Environment
variables in values are replaced when a value is read. Errors name the file and the line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from footfall.errors import UsageError

if TYPE_CHECKING:
    import configparser

__all__ = ["SettingsFile", "Value", "open_settings_file", "substitute_variables"]

Value = str | bool | int | float | list[str]
"""The types of a setting; the kinds of `read` select one: text, file, flag, int, float, list, patterns."""


class SettingsFile(Protocol):
    """One configuration file that was read."""

    path: str

    def section_name(self, section: str) -> str | None:
        """Return the section's full name in this file, None if it is not there."""

    def options(self, section: str) -> list[str]:
        """Return the option names of a section, none if it is not there."""

    def read(self, section: str, option: str, kind: str) -> Value:
        """Return one option of a section that has it. Raises UsageError if it is not of that kind."""

    def read_plainly(self, section: str, option: str) -> object:
        """Return one option of a section that has it, unconverted: text, or what TOML makes of it."""


_T = TypeVar("_T")
_VARIABLE: Final = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)(?:(\?)|-([^}]*))?\})")


def substitute_variables(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$X`, `${X}`, `${X-default}` and `$$`; an unknown X is empty, `${X?}` requires it.

    Raises ValueError if a required variable is not set.
    """

    def replacement(match: re.Match[str]) -> str:
        dollar, bare, braced, strict, default = match.groups()
        if dollar:
            return "$"
        name = bare or braced
        if name in variables:
            return variables[name]
        if strict:
            raise ValueError(f"variable {name} is not set: {text!r}")
        return default or ""

    return _VARIABLE.sub(replacement, text)


def open_settings_file(path: str, is_own: bool) -> SettingsFile | None:
    """Read a configuration file; None if it does not exist or may not be read.

    `is_own` is True for a file that contains only coverage settings, where sections need no prefix. Raises UsageError
    (`config-syntax`) with file and line if it does not parse.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return None
    try:
        text = content.decode("utf-8-sig")  # editors on Windows put a byte order mark at its beginning
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _syntax_error(path, line, "it is not UTF-8") from error
    text = text.replace("\r\n", "\n")
    if path.endswith(".toml"):
        return _TomlFile(path, text, is_own)
    return _IniFile(path, text, is_own)


def _syntax_error(path: str, line: int, what: str) -> UsageError:
    where = f"{path}, line {line}" if line else path
    return UsageError(
        "config-syntax", f"Can't read the configuration: {where}: {what}.", "Correct that line and run again."
    )


class _File:
    """What both kinds of file share: their text, in which to find lines, and how a wrong value is reported."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self._text = text

    def _wrong(self, section_name: str, option: str, what: object) -> UsageError:
        """Return the error for an option; `what` is a sentence that names it."""
        line = _line_of(self._text, section_name, option)
        where = f"{self.path}, line {line}" if line else self.path
        return UsageError(
            "config-value",
            f"{where}: {str(what).rstrip('.')}.",
            "Correct that setting and run again.",
        )

    def _checked_patterns(self, section_name: str, option: str, patterns: list[str]) -> list[str]:
        stripped = [pattern.strip() for pattern in patterns]
        for pattern in stripped:
            try:
                re.compile(pattern)
            except re.error as error:
                what = f"Invalid [{section_name}].{option} value {pattern!r}: {error}"
                raise self._wrong(section_name, option, what) from error
        return [pattern for pattern in stripped if pattern]


def _line_of(text: str, section_name: str, option: str) -> int:
    """Return the line, from 1, on which an option of a section is set; 0 if it is not found in the usual form."""
    in_section = False
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[([^\]]+)\]", line)
        if header:
            in_section = header[1].strip() == section_name
        elif in_section and re.match(rf"\s*[\"']?{re.escape(option)}[\"']?\s*[=:]", line, re.IGNORECASE):
            return number
    return 0


class _IniFile(_File):
    def __init__(self, path: str, text: str, is_own: bool) -> None:
        import configparser  # as tomllib below: only loaded for such a file

        super().__init__(path, text)
        self._prefixes = ("coverage:", "") if is_own else ("coverage:",)
        self._parser = configparser.ConfigParser(interpolation=None)
        try:
            self._parser.read_string(text, source=path)
        except configparser.Error as error:
            raise _ini_syntax_error(path, error) from error

    def section_name(self, section: str) -> str | None:
        for prefix in self._prefixes:
            if self._parser.has_section(prefix + section):
                return prefix + section
        return None

    def options(self, section: str) -> list[str]:
        name = self.section_name(section)
        return [] if name is None else self._parser.options(name)

    def read(self, section: str, option: str, kind: str) -> Value:
        name = self.section_name(section) or section
        try:
            text = substitute_variables(self._parser.get(name, option), os.environ)
            return self._converted(text, name, option, kind)
        except ValueError as error:
            raise self._wrong(name, option, f"[{name}] {option}: {error}") from error

    def read_plainly(self, section: str, option: str) -> object:
        """As SettingsFile has it."""
        return self.read(section, option, "text")

    def _converted(self, text: str, name: str, option: str, kind: str) -> Value:
        if kind == "flag":
            states = self._parser.BOOLEAN_STATES
            if text.lower() not in states:
                raise ValueError(f"not a boolean: {text!r}")
            return states[text.lower()]
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
        if kind == "file":
            return os.path.expanduser(text)
        if kind == "list":
            return [item for line in text.split("\n") for part in line.split(",") if (item := part.strip())]
        if kind == "patterns":
            return self._checked_patterns(name, option, text.splitlines())
        return text


def _ini_syntax_error(path: str, error: configparser.Error) -> UsageError:
    import configparser

    if isinstance(error, configparser.MissingSectionHeaderError):
        return _syntax_error(path, error.lineno, f"there are no section headers before {error.line.strip()!r}")
    if isinstance(error, configparser.ParsingError) and error.errors:
        line, source = error.errors[0]
        return _syntax_error(path, line, f"can't parse {source.strip()}")
    if isinstance(error, configparser.DuplicateOptionError):
        return _syntax_error(path, error.lineno or 0, f"[{error.section}] {error.option} is set twice")
    if isinstance(error, configparser.DuplicateSectionError):
        return _syntax_error(path, error.lineno or 0, f"section [{error.section}] is there twice")
    return _syntax_error(path, 0, str(error))


class _TomlFile(_File):
    def __init__(self, path: str, text: str, is_own: bool) -> None:
        import tomllib

        super().__init__(path, text)
        self._prefixes = ("tool.coverage.", "") if is_own else ("tool.coverage.",)
        try:
            self._data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"^(.*) \(at line (\d+), column \d+\)$", str(error), re.DOTALL)
            if found:
                raise _syntax_error(path, int(found[2]), found[1]) from error
            # "at end of document": what is missing would be on the last line
            what = str(error).replace(" (at end of document)", " at the end of the file")
            raise _syntax_error(path, text.rstrip("\n").count("\n") + 1, what) from error

    def _table(self, name: str) -> dict[str, object] | None:
        found: object = self._data
        for part in name.split("."):
            if not isinstance(found, dict) or part not in found:
                return None
            found = found[part]
        return found if isinstance(found, dict) else None

    def section_name(self, section: str) -> str | None:
        """As for every file; "tool.footfall" is looked up as it is."""
        prefixes = ("",) if section.startswith("tool.") else self._prefixes
        for prefix in prefixes:
            if self._table(prefix + section) is not None:
                return prefix + section
        return None

    def options(self, section: str) -> list[str]:
        name = self.section_name(section)
        return [] if name is None else list(self._table(name) or ())

    def read(self, section: str, option: str, kind: str) -> Value:
        name = self.section_name(section) or section
        value = (self._table(name) or {})[option]
        try:
            return self._converted(value, name, option, kind)
        except ValueError as error:
            raise self._wrong(name, option, f"Option [{name}]{option} {error}") from error

    def read_plainly(self, section: str, option: str) -> object:
        """As SettingsFile has it."""
        value = (self._table(self.section_name(section) or section) or {})[option]
        return substitute_variables(value, os.environ) if isinstance(value, str) else value

    def _converted(self, value: object, name: str, option: str, kind: str) -> Value:
        """Return a value converted to its kind; ValueError says what it is not, to follow the option's name."""
        if kind in ("list", "patterns"):
            items = [substitute_variables(item, os.environ) for item in _listed(value)]
            return self._checked_patterns(name, option, items) if kind == "patterns" else items
        if isinstance(value, str):
            value = substitute_variables(value, os.environ)
        if kind == "flag":
            return _typed(value, bool, {"true": True, "false": False}.__getitem__, "a boolean")
        if kind == "int":
            return _typed(value, int, int, "an integer")
        if kind == "float":
            return float(value) if isinstance(value, int) else _typed(value, float, float, "a float")
        if kind == "text":
            return str(value)
        return os.path.expanduser(_typed(value, str, str, "a string"))


def _listed(value: object) -> list[str]:
    if not isinstance(value, list):
        raise ValueError(f"is not a list: {value!r}")
    for item in value:
        if not isinstance(item, str):
            raise ValueError(f"is not a list of strings: {item!r}")
    return value


def _typed(value: object, kind: type[_T], convert: Callable[[str], _T], name: str) -> _T:
    """Return a value that has the type, or a text converted to it. Raises ValueError."""
    if isinstance(value, kind):
        return value
    if not isinstance(value, str):
        raise ValueError(f"is not {name}: {value!r}")
    try:
        return convert(value)
    except (ValueError, LookupError) as error:
        raise ValueError(f"couldn't convert to {name}: {value!r}") from error
