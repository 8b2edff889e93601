"""One request to a server of profiles, by urllib3: certificates are verified, failures that may pass are retried.

Redirects are not followed: they could take the token to another server. The urllib3 package is of the extra `push`.
"""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from footfall._version import VERSION
from footfall.errors import FootfallError, UsageError
from footfall.session.push.otlp_answer import rejection

if TYPE_CHECKING:
    import urllib3

__all__ = ["Credentials", "Request", "Sender", "UnavailableError", "check_url"]

_RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONNECT_SECONDS: Final = 5.0
_READ_SECONDS: Final = 30.0
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_SHOWN_ANSWER: Final = 300
_LIMITS: Final = "docs/production.md has the limits."
_OTLP_ENDING: Final = "/profiles"
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, without credentials: these are never written to disk."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_otlp(self) -> bool:
        """Whether the answer is one of OTLP, which may reject a part."""
        return urlsplit(self.url).path.endswith(_OTLP_ENDING)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token, sent as `Authorization: Bearer`, or as the password of `user` if there is one."""

    token: str = ""
    user: str = ""

    def headers(self) -> dict[str, str]:
        if not self.token:
            return {}
        if self.user:
            return {"Authorization": "Basic " + base64.b64encode(f"{self.user}:{self.token}".encode()).decode()}
        return {"Authorization": f"Bearer {self.token}"}


class UnavailableError(FootfallError):
    """The server did not take the request, and may take it later."""


def check_url(url: str, credentials: Credentials) -> None:
    """Raise UsageError: `bad-push-url`, or `push-plain-token` for a token that would be sent unencrypted."""
    example = "Write it as in --url https://profiles.example.org"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError("bad-push-url", f"--url is not a URL: {error}.", example) from error
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError("bad-push-url", "--url has to begin with https:// or http:// and to name a host.", example)
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        text = "--url may have neither a user, a password, a query nor a fragment."
        raise UsageError("bad-push-url", text, "Give the token in FOOTFALL_PUSH_TOKEN or by --token-file.")
    if credentials.token and parts.scheme == "http" and host not in _LOOPBACK:
        text = f"The token would go to {host} unencrypted."
        raise UsageError("push-plain-token", text, "Use https://, or a server on this machine that passes it on.")


class Sender:
    """Sends requests one after another, over one connection.

    A request is given up when `retry_seconds` have passed, or would pass while waiting as long as the server asks.
    """

    def __init__(
        self,
        credentials: Credentials,
        retry_seconds: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raise FootfallError (`push-extra`) without urllib3."""
        try:
            import urllib3
        except ImportError as error:
            text = f"Sending profiles needs urllib3 ({error})."
            raise FootfallError("push-extra", text, "Install it: pip install 'footfall[push]'") from error
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
        self._pool = urllib3.PoolManager(retries=False, timeout=timeout, cert_reqs="CERT_REQUIRED")
        self._credentials = credentials
        self._retry_seconds = retry_seconds
        self._sleep = sleep
        self._clock = clock

    def send(self, request: Request) -> bytes:
        """Send one request and return the answer's body.

        Raises UnavailableError (`push-unavailable`), and FootfallError: `push-unauthorized`, `push-refused`,
        `push-tls`.
        """
        give_up = self._clock() + self._retry_seconds
        pause = _FIRST_PAUSE
        while True:
            try:
                return self._try(request)
            except _Failed as failed:
                wait = failed.wait if failed.wait is not None else pause * random.uniform(0.5, 1.0)
                if self._clock() + wait > give_up:
                    asked = f", and asks to wait {failed.wait:.0f} s" if failed.wait else ""
                    raise UnavailableError(
                        "push-unavailable",
                        f"{_server(request)} takes no profiles now: {failed}{asked}.",
                        "Try again later; with --spool DIR they are kept until then.",
                    ) from failed
            self._sleep(wait)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _try(self, request: Request) -> bytes:
        import urllib3

        headers = {"User-Agent": f"footfall/{VERSION}", **request.headers, **self._credentials.headers()}
        try:
            answer = self._pool.request("POST", request.url, body=request.body, headers=headers, redirect=False)
        except urllib3.exceptions.SSLError as error:
            raise FootfallError(
                "push-tls",
                f"No trusted connection to {_server(request)}: {error}.",
                "Name the certificate of its authority: SSL_CERT_FILE=ca.pem footfall push ...",
            ) from error
        except urllib3.exceptions.HTTPError as error:
            raise _Failed(_described(error)) from error
        if 200 <= answer.status < 300:
            if request.is_otlp and (said := rejection(answer.data)) is not None:
                raise FootfallError("push-refused", f"{_server(request)}: {said}.", _LIMITS)
            return answer.data
        said = f"{answer.status} {answer.reason or ''}".rstrip() + _text_of(answer)
        if answer.status in _RETRIED:
            raise _Failed(said, _wait_asked_for(answer))
        if answer.status in (401, 403):
            what = "the token" if self._credentials.token else "requests without a token"
            raise FootfallError(
                "push-unauthorized",
                f"{_server(request)} does not accept {what}: {said}.",
                "Put a valid one into FOOTFALL_PUSH_TOKEN, or a file for --token-file.",
            )
        where = answer.headers.get("Location", "")
        help = f"Is this the address to push to? It leads to {where}." if where else _LIMITS
        raise FootfallError("push-refused", f"{_server(request)} refuses the profile: {said}.", help)


class _Failed(Exception):
    """A failure that may pass; `wait` is the time in seconds that the server asks for, None if it does not."""

    def __init__(self, text: str, wait: float | None = None) -> None:
        super().__init__(text)
        self.wait = wait


def _wait_asked_for(answer: urllib3.BaseHTTPResponse) -> float | None:
    import urllib3

    try:
        return urllib3.Retry().get_retry_after(answer)
    except urllib3.exceptions.InvalidHeader:
        return None


def _server(request: Request) -> str:
    return urlsplit(request.url).netloc


def _described(error: Exception) -> str:
    """Return the text of urllib3's error without the objects that it begins with."""
    return str(error).rpartition(">: ")[2] or type(error).__name__


def _text_of(answer: urllib3.BaseHTTPResponse) -> str:
    """Return what the body of a failure says, shortened; Connect's errors are JSON with a `message`."""
    text = answer.data[: 16 * _SHOWN_ANSWER].decode("utf-8", "replace").strip()
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, dict) and isinstance(found.get("message"), str):
        text = found["message"]
    text = " ".join(text.split())
    return f" ({text[:_SHOWN_ANSWER]})" if text and not text.startswith("<") and text.isprintable() else ""
