"""`footfall lake add`: data files as shards of a lake."""

from __future__ import annotations

import click

from footfall.cli.lake.adding import Place, add_data_files, place_options
from footfall.cli.options import config_option, load_config

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall lake add coverage-lake .coverage
  footfall lake add s3://bucket/lake .coverage
  footfall lake add coverage-lake 's3://bucket/shards/*.coverage'
  footfall lake add /srv/lake shard*/.coverage --repository shop --commit $CI_COMMIT_SHA
"""


@click.command("add", epilog=_EXAMPLES)
@click.argument("lake", metavar="DIR")
@click.argument("data_files", nargs=-1, required=True, metavar="DATAFILE...")
@place_options
@click.option("-q", "--quiet", is_flag=True, help="Show nothing but errors and warnings.")
@config_option
def command(
    lake: str,
    data_files: tuple[str, ...],
    repository: str | None,
    commit: str | None,
    shard: str | None,
    quiet: bool,
    config_file: str | None,
) -> int:
    """Add data files, of footfall or coverage.py, to the lake in DIR, which is made if it is not there.

    Both may be URLs that fsspec knows, such as s3://: `pip install fsspec s3fs`.

    Each becomes a shard of the commit. Adding the same file again changes nothing. Add it where the sources are as they
    were measured: the lake then has what could run too, which `footfall lake report` and `gaps` need.
    """
    config = load_config(config_file)
    add_data_files(config, lake, data_files, Place(repository, commit, shard), is_quiet=quiet)
    return 0
