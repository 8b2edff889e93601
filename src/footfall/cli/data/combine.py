"""`footfall combine`: merge many data files into one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import click

from footfall.cli.accepted import accepted_options
from footfall.cli.face import current_face
from footfall.cli.options import config_option, data_file_option, load_config
from footfall.config.configuration import Config
from footfall.errors import EXIT_FINDINGS, FootfallError
from footfall.record.data.combine import find_inputs
from footfall.record.data.data_file import find_target
from footfall.session.combining import combine_named, shown_path

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall combine                         all .coverage.* here, into .coverage
  footfall combine shard1/ shard2/ --keep  those of two directories, which stay
  footfall combine -a nightly.cov          add one file to .coverage
  footfall combine 'artifacts/**/.coverage.*' --data-file=all.cov
  footfall combine s3://bucket/shards/     those at a URL, which stay
"""


@click.command("combine", epilog=_EXAMPLES)
@click.option("-a", "--append", is_flag=True, help="Add to the data file instead of replacing it.")
@click.option("--keep", is_flag=True, help="Keep the files that were combined.")
@click.option("-q", "--quiet", is_flag=True, help="Show nothing but errors and warnings.")
@data_file_option
@config_option
@accepted_options("--debug")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
def command(
    append: bool, keep: bool, quiet: bool, data_file: str | None, config_file: str | None, paths: tuple[str, ...]
) -> int:
    """Combine data files, of footfall or coverage.py, into one data file, and remove them.

    A PATH is a data file, a directory with data files (.coverage.*), a pattern, or a URL of one of these that fsspec
    knows, where files are never removed; the default is the directory of the data file. Paths of other machines are
    mapped by [paths] in the configuration.

    A file that can't be used is reported and stays where it is; the exit status is then 1.
    """
    config = load_config(config_file, data_file=data_file)
    find_target(config.data_file)  # first, as it fails for a directory; then look for files with names like it
    target = os.path.abspath(config.data_file)
    urls = [path for path in paths if "://" in path and not os.path.lexists(path)]
    if not urls:
        return _combine(find_inputs(config.data_file, paths), config, paths, append=append, keep=keep, quiet=quiet)
    from footfall.record.lake.remote import local_copies  # few combine what is at URLs

    with local_copies(urls, os.path.basename(target) + ".") as copies:
        others = [path for path in paths if path not in urls]
        inputs = [*(find_inputs(config.data_file, others) if others else ()), *copies]
        return _combine(inputs, config, paths, append=append, keep=keep, quiet=quiet, copies=copies)


def _combine(
    inputs: Sequence[str],
    config: Config,
    paths: Sequence[str],
    *,
    append: bool,
    keep: bool,
    quiet: bool,
    copies: Mapping[str, str] = MappingProxyType({}),
) -> int:
    target = os.path.abspath(config.data_file)
    # naming the target among the files keeps its contents, as with --append; it is never combined with itself
    others = [path for path in inputs if not _is_same(path, target)]
    base = target if os.path.exists(target) and (append or len(others) < len(inputs)) else None
    if not others:
        raise _nothing_to_combine(target, paths, is_kept=base is not None)
    result = combine_named(
        others, config, base=base, keep=keep, is_quiet=quiet, as_coverage=current_face().is_as_coverage, urls=copies
    )
    if not result.used and not result.duplicates:
        raise _NothingCombinedError("no-usable-data", "None of the data files can be used; nothing was combined.", "")
    return EXIT_FINDINGS if result.failed else 0


class _NothingCombinedError(FootfallError):
    exit_code = EXIT_FINDINGS


def _is_same(path: str, target: str) -> bool:
    try:
        return os.path.samefile(path, target)
    except OSError:
        return path == target


def _nothing_to_combine(target: str, paths: Sequence[str], *, is_kept: bool) -> FootfallError:
    where = "in " + ", ".join(paths) if paths else f"named {shown_path(target)}.*"
    help = "Make some with `footfall run --parallel-mode COMMAND`, or name files or directories."
    if is_kept:
        help = f"{shown_path(target)} is as it was: a plain `footfall run` leaves one file, with nothing to combine."
    return _NothingCombinedError("no-data-to-combine", f"No data to combine: there are no data files {where}.", help)
