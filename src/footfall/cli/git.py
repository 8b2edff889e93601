"""What git knows of the project: the diff since a revision, and files as they were in it."""

from __future__ import annotations

import subprocess

from footfall.errors import FootfallError, UsageError

__all__ = ["diff_since", "file_at", "top_directory"]


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    except OSError as error:
        raise FootfallError("git-failed", f"Can't run git: {error.strerror}.", "Install git.") from error
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        if b"not a git repository" in done.stderr.lower():
            help = "Call it inside the repository that was measured; --data-file takes data from elsewhere."
        else:
            help = "Name a revision of this repository: --changed=main."
        raise FootfallError("git-failed", f"git {arguments[0]} failed: {reason[0]}", help)
    return done.stdout


def top_directory() -> str:
    """Return the absolute path of the repository's top. Raises FootfallError (`git-failed`)."""
    return _git("rev-parse", "--show-toplevel").decode("utf-8", "surrogateescape").rstrip("\n")


def diff_since(revision: str) -> str:
    """Return `git diff -U0` from the revision to the working tree, of Python files.

    Raises FootfallError (`git-failed`), UsageError (`bad-revision`).
    """
    if revision.startswith("-"):
        help = "Name a branch, tag or commit: --changed=main."
        raise UsageError("bad-revision", f"{revision!r} is no revision.", help)
    options = ("-U0", "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/", "-M")
    return _git("diff", *options, revision, "--").decode("utf-8", "surrogateescape")


def file_at(revision: str, name: str) -> bytes | None:
    """Return a file's content in a revision, None where it has none; `name` is from the repository's top."""
    try:
        return _git("show", f"{revision}:{name}")
    except FootfallError:
        return None
