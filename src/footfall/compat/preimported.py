"""Files that were imported before measuring began and would be measured: those that `check_preimported` warns about."""

from __future__ import annotations

import sys
from dataclasses import replace

from footfall.config.configuration import Config
from footfall.observe.scope import Scope
from footfall.record.run.directory import settings_from_config
from footfall.settings import Settings

__all__ = ["find_preimported"]


def find_preimported(config: Config) -> list[str]:
    """Return the files, in the order of `sys.modules`; none if neither sources nor patterns are configured."""
    wanted = replace(settings_from_config(config), profile=False)
    if not (wanted.source_dir or wanted.source_pkg or wanted.include):
        return []
    settings = Settings("")
    for name in ("cwd", "source_dir", "source_pkg", "include", "omit"):
        setattr(settings, name, getattr(wanted, name))
    scope = Scope(settings)
    found: dict[str, None] = {}
    for name, module in list(sys.modules.items()):
        filename = getattr(module, "__file__", None)
        if isinstance(filename, str) and filename.endswith(".py"):
            path = scope.decide(filename, name)
            if path is not None:
                found[filename] = None
    return list(found)
