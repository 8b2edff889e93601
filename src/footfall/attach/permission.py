"""Why a process may not be read, and what would help: worked out once the system has refused.

Called by the modules that read other processes. The advice depends on who we are: root is not told to use sudo, and
neither is anybody else if sudo would give no more rights.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple

from footfall.attach.procfs import no_such_process
from footfall.errors import FootfallError

__all__ = ["Rights", "as_root", "forbidden", "not_permitted"]

_PTRACE_SCOPE: Final = "/proc/sys/kernel/yama/ptrace_scope"
_CAP_SYS_PTRACE: Final = 1 << 19
_ANY_BUT_ITS_PARENTS: Final = 1
_NOBODY: Final = 3
_WITH_CAPABILITY: Final = "Start the container with --cap-add=SYS_PTRACE."
_SYSCTL: Final = "sysctl kernel.yama.ptrace_scope=0"


class Rights(NamedTuple):
    """What this process may do, and to whose processes."""

    user: int
    has_capability: bool
    """CAP_SYS_PTRACE, which reads any process."""
    may_get_capability: bool
    """Whether root has it here: a container's root usually has not."""


def not_permitted(pid: int) -> FootfallError:
    """Return the error that says why a process may not be read, and what would help here."""
    status = _read_status(pid)
    if not status:
        return no_such_process(pid)
    return forbidden(pid, int(status["Uid"].split()[1]), _our_rights(), _ptrace_scope())


def _our_rights() -> Rights:
    status = _read_status(os.getpid())
    has, may_have = (int(status.get(name, "0"), 16) for name in ("CapEff", "CapBnd"))
    return Rights(os.geteuid(), bool(has & _CAP_SYS_PTRACE), bool(may_have & _CAP_SYS_PTRACE))


def forbidden(pid: int, owner: int, rights: Rights, ptrace_scope: int) -> FootfallError:
    """Return the error that says why we, with our rights, may not read a user's process at this `ptrace_scope`."""
    what = f"Not permitted to read process {pid}"
    if ptrace_scope >= _NOBODY:
        help = "With 3 nobody may until the machine is started anew with less."
        return FootfallError("attach-forbidden", f"{what}: {_PTRACE_SCOPE} is {ptrace_scope}.", help)
    if rights.has_capability:
        why = "though we have the capability CAP_SYS_PTRACE"
        help = "It may be in another user namespace, or a security module (AppArmor, SELinux) or seccomp may forbid it."
        return FootfallError("attach-forbidden", f"{what}, {why}.", help)
    advice = _advice(rights)
    if owner != rights.user:
        return FootfallError(
            "attach-forbidden", f"{what}: it belongs to user {owner}, and we are {rights.user}.", advice
        )
    if ptrace_scope == _ANY_BUT_ITS_PARENTS:
        help = f"{advice} Or allow it to all of a user's processes, as root: {_SYSCTL}."
        return FootfallError(
            "attach-forbidden", f"{what}: {_PTRACE_SCOPE} is {ptrace_scope}, so only its own parents may.", help
        )
    if ptrace_scope > _ANY_BUT_ITS_PARENTS:
        return FootfallError("attach-forbidden", f"{what}: {_PTRACE_SCOPE} is {ptrace_scope}.", advice)
    why = "though it is of the same user: it has rights that we lack, or lets nobody read it"
    return FootfallError("attach-forbidden", f"{what}, {why}.", advice)


def _advice(rights: Rights) -> str:
    if rights.user == 0 or not rights.may_get_capability:
        return f"It takes the capability CAP_SYS_PTRACE, which root has not here. {_WITH_CAPABILITY}"
    return as_root()


def as_root() -> str:
    """Return how to run our command again as root, for a user who is not root."""
    return f"Run it as root: {_sudo()}{shlex.join(_our_command())}"


def _sudo() -> str:
    return "" if shutil.which("sudo") is None else "sudo "


def _our_command() -> list[str]:
    """Return the command line that we were started with, with full paths: sudo has another PATH."""
    words = list(sys.orig_argv[1:])
    if words and os.path.isabs(words[0]) and os.access(words[0], os.X_OK):
        return words  # the installed script
    return [sys.executable, *words]


def _ptrace_scope() -> int:
    try:
        with open(_PTRACE_SCOPE, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def _read_status(pid: int) -> Mapping[str, str]:
    """Read /proc/PID/status; empty if the process is not there."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="surrogateescape") as file:
            return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    except OSError:
        return {}
