"""Requests to a server, in order, and to the queue on disk what the server does not take now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from footfall.errors import FootfallError
from footfall.session.output import warn
from footfall.session.push.sending import Request, Sender, UnavailableError
from footfall.session.push.spool import Spool

__all__ = ["Delivered", "deliver"]


@dataclass(slots=True)
class Delivered:
    """What became of requests."""

    answers: list[bytes] = field(default_factory=list)
    """Of the requests that the server took."""
    n_sent_from_spool: int = 0
    n_kept: int = 0
    unavailable: UnavailableError | None = None
    """Why the others are kept."""


def deliver(sender: Sender, requests: Iterable[Request], spool: Spool | None) -> Delivered:
    """Send what the spool has, then the requests. When the server stops taking them, the rest goes to the spool.

    A request that is refused does not hold up the others. Raises FootfallError as `Sender.send`, at the end;
    UnavailableError only without a spool.
    """
    found = Delivered()
    todo = list(requests)
    failure = None if spool is None else _send_spooled(sender, spool, {_origin(request) for request in todo}, found)
    refused: FootfallError | None = None
    for request in todo:
        if failure is None:
            try:
                found.answers.append(sender.send(request))
                continue
            except FootfallError as error:
                if error.slug == "push-refused":  # the others may be accepted
                    refused = error
                    continue
                if spool is None:
                    raise
                failure = error
        assert spool is not None
        _keep(spool, request, found)
    if isinstance(failure, UnavailableError):
        found.unavailable = failure
        failure = None
    final = failure or refused
    if final is not None:
        raise final
    return found


def _keep(spool: Spool, request: Request, found: Delivered) -> None:
    found.n_kept += 1
    if n_dropped := spool.add(request):
        what = "The oldest profile" if n_dropped == 1 else f"The {n_dropped} oldest profiles"
        warn([("spool-full", f"{what} of the queue had to be dropped: it is full.")])


def _send_spooled(sender: Sender, spool: Spool, origin: set[str], found: Delivered) -> FootfallError | None:
    """Send what the spool has for this server. Return why the rest can't be sent."""
    with spool.sending() as may_send:
        for name, request in spool.requests() if may_send else ():
            if request is None:
                warn([("spool-damaged", f"{name} of the queue is damaged and was removed.")])
                spool.remove(name)
                continue
            if _origin(request) not in origin:
                continue  # the token is for another server
            try:
                sender.send(request)
            except FootfallError as error:
                if error.slug != "push-refused":
                    return error
                warn([("push-refused", f"A profile of the queue was removed: {error.message}")])
            else:
                found.n_sent_from_spool += 1
            spool.remove(name)
    return None


def _origin(request: Request) -> str:
    parts = urlsplit(request.url)
    return f"{parts.scheme}://{parts.netloc}"
