"""Lakes, and data files to add, at URLs such as `s3://bucket/lake`: what fsspec is needed for. The only user of fsspec.

Nothing can be renamed as a whole there. A shard counts as there while its table `shard` is, which is removed first and
written last.
"""

from __future__ import annotations

import contextlib
import glob
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any, Final

from footfall.errors import FootfallError

if TYPE_CHECKING:
    import fsspec

__all__ = [
    "LAST_TABLE",
    "filesystem",
    "folders_with",
    "is_url",
    "local_copies",
    "local_copy",
    "matching",
    "open_file",
    "upload",
]

LAST_TABLE: Final = "shard.parquet"


def is_url(lake: str) -> bool:
    """Return whether a lake is at a URL, not in a directory."""
    return "://" in lake


def filesystem(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return what reads and writes a URL, and its name of the place.

    Raises FootfallError (`lake-extra`, `no-lake`) if there is nothing for such URLs.
    """
    try:
        import fsspec

        found, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise FootfallError(
            "lake-extra",
            f"{url} needs another package ({error}).",
            "Install fsspec, and what it needs for such URLs: pip install fsspec s3fs (gcsfs for gs://)",
        ) from error
    except ValueError as error:
        raise FootfallError(
            "no-lake", f"Can't read {url}: {error}.", "Name a directory, or a URL that fsspec knows."
        ) from error
    return found, str(root).rstrip("/")


@contextlib.contextmanager
def _explaining(slug: str, text: str, help: str) -> Iterator[None]:
    try:
        yield
    except FootfallError:
        raise
    except Exception as error:  # services have errors of their own kinds, such as botocore's
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FootfallError(slug, f"{text}: {reason}.", help) from error


def folders_with(url: str, name: str) -> list[str]:
    """Return the folders below a URL, relative to it, that have a file of this name.

    Raises FootfallError (`no-lake`).
    """
    store, root = filesystem(url)
    with _explaining("no-lake", f"Can't read the lake {url}", "Check the URL and the credentials."):
        store.invalidate_cache()
        found = store.find(root)
    return [os.path.dirname(path)[len(root) + 1 :] for path in found if os.path.basename(path) == name]


@contextlib.contextmanager
def open_file(url: str) -> Iterator[IO[Any]]:
    """Open a file to read. Raises OSError, or what the service raises."""
    store, path = filesystem(url)
    with store.open(path, "rb") as file:
        yield file


def matching(name: str) -> list[str]:
    """Return a data file's name, or those that the `*` and `?` of a URL stand for. Raises as `local_copy`."""
    if not is_url(name) or not glob.has_magic(name):
        return [name]
    store, pattern = filesystem(name)
    with _explaining("no-data", f"Can't read {name}", "Check the URL and the credentials."):
        found = [str(store.unstrip_protocol(path)) for path in sorted(store.glob(pattern))]
    if not found:
        raise FootfallError("no-data", f"There is no data file {name}.", "Check the URL.")
    return found


@contextlib.contextmanager
def local_copy(name: str) -> Iterator[str]:
    """Yield where a data file can be read: itself, or for a URL a copy, which is removed on exit.

    Raises FootfallError (`no-data`, `lake-extra`).
    """
    if not is_url(name):
        yield name
        return
    store, path = filesystem(name)
    with tempfile.TemporaryDirectory(prefix="footfall-lake-") as folder:
        copy = os.path.join(folder, "data")
        with _explaining("no-data", f"Can't read {name}", "Check the URL and the credentials."):
            store.get_file(path, copy)
        yield copy


@contextlib.contextmanager
def local_copies(urls: Iterable[str], prefix: str) -> Iterator[dict[str, str]]:
    """Yield copies of data files, which are removed on exit: where each is, and the URL of what it is a copy of.

    A URL may be of a file, a pattern, or a folder, of which the files count whose names begin with `prefix`.
    Raises FootfallError (`no-data`, `lake-extra`, `no-lake`).
    """
    with tempfile.TemporaryDirectory(prefix="footfall-combine-") as folder:
        copies: dict[str, str] = {}
        for url in urls:
            store, place = filesystem(url)
            with _explaining("no-data", f"Can't read {url}", "Check the URL and the credentials."):
                is_folder = not glob.has_magic(url) and store.isdir(place)
                found = matching(f"{url.rstrip('/')}/{glob.escape(prefix)}*" if is_folder else url)
                locals = [os.path.join(folder, f"{len(copies) + at:06}") for at in range(len(found))]
                store.get([filesystem(name)[1] for name in found], locals)
            copies.update(zip(locals, found, strict=True))
        yield copies


def upload(folder: str, lake: str, target: str) -> None:
    """Put the files of a shard's folder in place of those that are there.

    Raises FootfallError (`output-unwritable`).
    """
    store, root = filesystem(lake)
    place = f"{root}/{target}"
    names = sorted(os.listdir(folder), key=lambda name: (name == LAST_TABLE, name))
    help = "Check the URL and the credentials, then add the data again."
    with _explaining("output-unwritable", f"Can't write to the lake {lake}", help):
        if store.exists(f"{place}/{LAST_TABLE}"):
            store.rm_file(f"{place}/{LAST_TABLE}")
        for name in names:
            store.put_file(os.path.join(folder, name), f"{place}/{name}")
        store.invalidate_cache()
