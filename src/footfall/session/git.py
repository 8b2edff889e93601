"""What git knows about the project: the diff since a revision, and files as they were in it."""

from __future__ import annotations

import os
import subprocess

from footfall.errors import FootfallError, UsageError

__all__ = [
    "ancestors",
    "blob",
    "diff_since",
    "file_at",
    "head_commit",
    "merge_base",
    "top_directory",
    "untracked_files",
]

# overrides each git setting that would change the output that is parsed
_DIFF = (
    *("diff", "-U0", "--inter-hunk-context=0", "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative"),
    *("--submodule=short", "--src-prefix=a/", "--dst-prefix=b/", "-M"),
)


def _call(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    english = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        return subprocess.run(["git", *arguments], capture_output=True, check=False, env=english)
    except OSError as error:
        raise FootfallError("git-failed", f"Can't run git: {error.strerror}.", "Install git.") from error


def _git(command: str, *arguments: str) -> bytes:
    done = _call(command, *arguments)
    if done.returncode:
        raise _failed(command, done.stderr)
    return done.stdout


def _failed(command: str, stderr: bytes) -> FootfallError:
    reason = stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
    if b"not a git repository" in stderr.lower():
        help = "Call it inside the repository that was measured; --data-file takes data from elsewhere."
    elif b"dubious ownership" in stderr:
        help = "Trust the directory: git config --global --add safe.directory DIRECTORY"
    else:
        help = "Name a revision of this repository, such as main."
    return FootfallError("git-failed", f"git {command} failed: {reason[0].rstrip('.')}.", help)


def _text(output: bytes) -> str:
    return output.decode("utf-8", "surrogateescape")


def top_directory() -> str:
    """Return the absolute path of the repository's top directory. Raises FootfallError (`git-failed`)."""
    return _text(_git("rev-parse", "--show-toplevel")).rstrip("\n")


def ancestors(limit: int) -> list[str]:
    """Return the ids of HEAD and the commits before it, the nearest first, `limit` at most; none without git."""
    try:
        return _text(_git("rev-list", f"--max-count={limit}", "HEAD")).split()
    except FootfallError:
        return []


def head_commit() -> str | None:
    """Return the id of the commit that is checked out here; None if there is none, or git is not installed."""
    try:
        return _text(_git("rev-parse", "--verify", "HEAD")).strip()
    except FootfallError:
        return None


def merge_base(revision: str) -> str:
    """Return the id of the commit where HEAD and the revision diverged; the revision's own if HEAD descends from it.

    Raises FootfallError (`git-failed`, `no-merge-base`), UsageError (`bad-revision`).
    """
    _check_revision(revision)
    top_directory()
    if _call("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").returncode:
        raise UsageError(
            "bad-revision",
            f"There is no commit {revision!r} in this repository.",
            "Name a branch, tag or commit that is here; `git fetch` brings those of others: origin/main.",
        )
    done = _call("merge-base", revision, "HEAD")
    if done.returncode == 1 and not done.stderr:
        raise FootfallError(
            "no-merge-base",
            f"HEAD and {revision!r} have no commit in common.",
            "In a shallow clone, fetch the history: git fetch --unshallow (fetch-depth: 0 of GitHub's checkout).",
        )
    if done.returncode:
        raise _failed("merge-base", done.stderr)
    return _text(done.stdout).split()[0]


def diff_since(revision: str) -> str:
    """Return `git diff -U0` from the revision to the working tree.

    Raises FootfallError (`git-failed`), UsageError (`bad-revision`).
    """
    _check_revision(revision)
    return _text(_git(*_DIFF, revision, "--"))


def _check_revision(revision: str) -> None:
    if not revision or revision.startswith("-"):
        raise UsageError(
            "bad-revision", f"{revision!r} is not a revision.", "Name a branch, tag or commit, such as main."
        )


def untracked_files(top: str) -> list[str]:
    """Return the files that git neither tracks nor ignores, relative to the repository's top."""
    done = _call("-C", top, "ls-files", "--others", "--exclude-standard", "-z")
    if done.returncode:
        raise _failed("ls-files", done.stderr)
    return [name for name in _text(done.stdout).split("\0") if name and not name.endswith("/")]


def file_at(revision: str, name: str) -> bytes | None:
    """Return a file's content in a revision, or None if it has none; `name` is relative to the repository's top."""
    try:
        return _git("show", f"{revision}:{name}")
    except FootfallError:
        return None


def blob(number: str) -> bytes | None:
    """Return the content of the blob with an id of 40 hex digits; None if git does not have it or is not installed."""
    try:
        return _git("cat-file", "blob", number)
    except FootfallError:
        return None
