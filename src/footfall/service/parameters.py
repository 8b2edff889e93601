"""A request's parameters, checked: a missing one, or one of the wrong type, is an error that names it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from footfall.service.jsonrpc import INVALID_PARAMS, RpcError

__all__ = ["Parameters"]

_MAX_PATH: Final = 4096
_MAX_NUMBER: Final = (1 << 31) - 1
_MAX_PATHS: Final = 10_000
_MAX_TEXT: Final = 65_536
"""The name of a test can have a long parameter."""


class Parameters:
    """The parameters by name. Those that nobody asks for are ignored: a later version of the protocol may have them."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def path(self, name: str) -> str:
        """Return a path as given. Raises RpcError."""
        return self._checked_path(name, self._values.get(name))

    def optional_path(self, name: str) -> str | None:
        """Return a path, or None without one. Raises RpcError."""
        value = self._values.get(name)
        return None if value is None else self._checked_path(name, value)

    def optional_paths(self, name: str) -> list[str] | None:
        """Return a list of paths, or None without one. Raises RpcError."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) > _MAX_PATHS:
            raise RpcError(INVALID_PARAMS, f"`{name}` is a list of at most {_MAX_PATHS} paths.")
        return [self._checked_path(name, each) for each in value]

    def optional_text(self, name: str) -> str | None:
        """Return a text, or None without one. Raises RpcError."""
        value = self._values.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > _MAX_TEXT):
            raise RpcError(INVALID_PARAMS, f"`{name}` is a text of at most {_MAX_TEXT} characters.")
        return value

    def text(self, name: str) -> str:
        """Return a text. Raises RpcError."""
        value = self.optional_text(name)
        if value is None:
            raise RpcError(INVALID_PARAMS, f"`{name}` is missing.")
        return value

    def optional_number(self, name: str, least: int = 0) -> int | None:
        """Return a whole number of at least `least`, or None without one. Raises RpcError."""
        return None if self._values.get(name) is None else self.number(name, least=least)

    def number(self, name: str, default: int | None = None, least: int = 0) -> int:
        """Return a whole number of at least `least`; without a default it must be there. Raises RpcError."""
        value = self._values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MAX_NUMBER:
            raise RpcError(INVALID_PARAMS, f"`{name}` is a whole number, {least} or more.")
        return value

    def flag(self, name: str) -> bool:
        """Return true or false, which is the default. Raises RpcError."""
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            raise RpcError(INVALID_PARAMS, f"`{name}` is true or false.")
        return value

    def choice(self, name: str, choices: Collection[str]) -> str | None:
        """Return one of the choices, or None without one. Raises RpcError."""
        value = self._values.get(name)
        if value is not None and (not isinstance(value, str) or value not in choices):
            raise RpcError(INVALID_PARAMS, f"`{name}` is one of {', '.join(choices)}.")
        return value

    @staticmethod
    def _checked_path(name: str, value: object) -> str:
        if not isinstance(value, str) or not value or len(value) > _MAX_PATH or "\0" in value:
            raise RpcError(INVALID_PARAMS, f"`{name}` is a path: a text of 1 to {_MAX_PATH} characters.")
        try:
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise RpcError(INVALID_PARAMS, f"`{name}` has a character that no path has.") from error
        return value
