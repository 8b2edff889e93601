"""`footfall lake extract`: shards of a lake as a data file again."""

from __future__ import annotations

import os
import tempfile

import click

from footfall.cli.lake.choosing import choose_shards, shards_options
from footfall.cli.options import config_option, load_config
from footfall.record.data.combine import combine_files
from footfall.record.data.data_file import check_replaceable, find_target
from footfall.record.lake.shards import write_data_file
from footfall.session.output import print_message, warn

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall lake extract coverage-lake
  footfall lake extract coverage-lake --commit 4f0c2d1 -o nightly.cov && footfall report --data-file nightly.cov
"""


@click.command("extract", epilog=_EXAMPLES)
@click.argument("lake", metavar="DIR")
@shards_options
@click.option("-o", "output", metavar="FILE", help="The data file to write. [default: .coverage]")
@click.option("-q", "--quiet", is_flag=True, help="Show nothing but errors and warnings.")
@config_option
def command(
    lake: str,
    repository: str | None,
    commit: str | None,
    shard: str | None,
    output: str | None,
    quiet: bool,
    config_file: str | None,
) -> int:
    """Make a data file from the lake in DIR, for all other commands of footfall, and for coverage.py.

    One shard becomes the data file that it was made from; several are combined, as `footfall combine` does it.
    """
    config = load_config(config_file, data_file=output)
    target = find_target(config.data_file)
    check_replaceable(target)
    chosen = choose_shards(lake, repository, commit, shard)
    if len(chosen) == 1:
        write_data_file(lake, chosen[0], target)
    else:
        with tempfile.TemporaryDirectory(dir=os.path.dirname(target), prefix=".extracting-") as folder:
            parts = [os.path.join(folder, str(number)) for number in range(len(chosen))]
            for part, partition in zip(parts, chosen, strict=True):
                write_data_file(lake, partition, part)
            result = combine_files(parts, target, paths=config.paths.values(), is_relative=config.relative_files)
        warn(result.warnings, config.disable_warnings)
    if not quiet:
        shards = "1 shard" if len(chosen) == 1 else f"{len(chosen)} shards"
        print_message(f"Wrote {config.data_file} from {shards} of {lake}")
    return 0
