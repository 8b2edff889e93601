"""A group of commands whose modules are imported when they are called, for `footfall` and `footfall lake`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """A group whose commands are modules with an attribute `command`.

    `modules`: the package of each command that help lists, and the line for the help; `hidden`: those of the others.
    """

    def __init__(
        self,
        *arguments: Any,
        modules: Mapping[str, tuple[str, str]],
        hidden: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._modules = modules
        self._packages = {**{name: package for name, (package, _) in modules.items()}, **(hidden or {})}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        package = self._packages.get(cmd_name)
        if package is None:
            return None
        command = importlib.import_module(f"{package}.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            import difflib  # only for misspelt commands

            alike = difflib.get_close_matches(args[0], self._modules)
            hint = f" Did you mean {' or '.join(map(repr, alike))}?" if alike else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._modules.items()])
