"""`footfall push`: the profile to a server that keeps those of a fleet."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from typing import Final

import click

from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.split import longest_thread_ns, sum_over
from footfall.cli.options import FiniteRange, config_option, load_config
from footfall.cli.reports.reporting import warn_of_profile
from footfall.errors import EXIT_FINDINGS, FootfallError, UsageError
from footfall.report.times import need_profile, with_builtin_calls
from footfall.session.output import print_message
from footfall.session.push.delivery import Delivered, deliver
from footfall.session.push.sending import Credentials, Request, Sender, check_url
from footfall.session.push.spool import Spool

__all__ = ["command"]

_TOKEN_VARIABLE: Final = "FOOTFALL_PUSH_TOKEN"
_SERVICE_VARIABLE: Final = "OTEL_SERVICE_NAME"
_CONVENTIONAL: Final = {"service_name": "service.name", "service_version": "service.version", "host": "host.name"}
_RETRY_SECONDS: Final = 30
_SPOOL_MB: Final = 64

_EXAMPLES = """\b
Examples:
  footfall push --url http://localhost:4040 --service shop
  footfall push --to otlp --url http://localhost:4318 --service shop
  footfall push --url https://profiles.example.org --service shop --label region=eu --spool /var/spool/footfall web.data
"""


@click.command("push", epilog=_EXAMPLES)
@click.argument("file", required=False, metavar="[DATA]")
@click.option("--to", "kind", type=click.Choice(["pyroscope", "otlp"]), default="pyroscope", show_default=True)
@click.option("--url", metavar="URL", required=True, help="The server, without the path of its API.")
@click.option("--service", metavar="NAME", help=f"Name of the program. [default: ${_SERVICE_VARIABLE}]")
@click.option("--service-version", metavar="TEXT", help="Version of the program.")
@click.option("--host", metavar="NAME", help="Name of the machine. [default: this one's]")
@click.option("--label", "labels", metavar="NAME=VALUE", multiple=True, help="Another label; may be repeated.")
@click.option(
    "--leave-out",
    type=click.Choice(["thread", "context"]),
    multiple=True,
    help="Sum up over threads or contexts (tests): Pyroscope makes a series of each.",
)
@click.option("--token-file", metavar="FILE", help=f"File with the token. [default: ${_TOKEN_VARIABLE}, or none]")
@click.option("--user", metavar="NAME", help="Send the token as this user's password (HTTP Basic).")
@click.option("--tenant", metavar="ID", help="Tenant, sent as X-Scope-OrgID.")
@click.option(
    "--retry",
    "retry_seconds",
    type=FiniteRange(min=0),
    default=_RETRY_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long to try again when the server does not take profiles.",
)
@click.option("--spool", "spool_directory", metavar="DIR", help="Keep there what can't be sent, and send it next time.")
@click.option(
    "--spool-size",
    type=FiniteRange(min=0, min_open=True),
    default=_SPOOL_MB,
    show_default=True,
    metavar="MB",
    help="How much to keep; the oldest is dropped first.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show nothing but errors and warnings.")
@config_option
def command(
    file: str | None,
    kind: str,
    url: str,
    service: str | None,
    service_version: str | None,
    host: str | None,
    labels: tuple[str, ...],
    leave_out: tuple[str, ...],
    token_file: str | None,
    user: str | None,
    tenant: str | None,
    retry_seconds: float,
    spool_directory: str | None,
    spool_size: float,
    quiet: bool,
    config_file: str | None,
) -> int:
    """Send the profile of DATA, a data file, to a server that keeps profiles: Grafana Pyroscope, or one that takes
    OpenTelemetry's protocol (OTLP).

    Needs `pip install 'footfall[push]'`. Exit status: 0 if all was sent, 1 if the server does not answer and all is
    kept in --spool, 2 for a wrong command line, 3 if something was not sent and not kept, or the token is not accepted.
    """
    credentials = Credentials(_read_token(token_file), user or "")
    check_url(url, credentials)
    named = _labels(service, service_version, host, labels, has_dots=kind == "otlp")
    sender = Sender(credentials, retry_seconds)
    spool = None if spool_directory is None else Spool(spool_directory, round(spool_size * 1_000_000))
    config = load_config(config_file, quiet, data_file=file)
    profile = need_profile(config, config.data_file, has_native=True)
    warn_of_profile(config, config.data_file, profile)
    profile = sum_over(with_builtin_calls(profile), leave_out)
    end_ns = os.stat(config.data_file).st_mtime_ns
    tenants = {"X-Scope-OrgID": tenant} if tenant else {}
    make = _otlp_requests if kind == "otlp" else _pyroscope_requests
    found = deliver(sender, make(profile, url.rstrip("/"), named, end_ns, tenants), spool)
    if found.unavailable is not None:
        print_message(f"footfall: {found.unavailable.message} Kept {_profiles(found.n_kept)} in {spool_directory}.")
        return EXIT_FINDINGS
    if not quiet:
        print_message(f"Sent {_sent(found)} to {url}")
    return 0


def _sent(found: Delivered) -> str:
    text = _profiles(len(found.answers))
    return text + (f", and {found.n_sent_from_spool} from the queue," if found.n_sent_from_spool else "")


def _profiles(number: int) -> str:
    return "1 profile" if number == 1 else f"{number} profiles"


def _pyroscope_requests(
    profile: Profile, url: str, labels: dict[str, str], end_ns: int, headers: dict[str, str]
) -> Iterator[Request]:
    """Yield the requests. The data file was written when the recording ended, which tells when it began."""
    from footfall.report.profile.pyroscope import PYROSCOPE_PATH, render_pyroscope

    duration_ns = longest_thread_ns(profile)
    headers = {"Content-Type": "application/proto", "Connect-Protocol-Version": "1", **headers}
    for body in render_pyroscope(profile, labels, end_ns - duration_ns, duration_ns):
        yield Request(url + PYROSCOPE_PATH, headers, body)


def _otlp_requests(
    profile: Profile, url: str, labels: dict[str, str], end_ns: int, headers: dict[str, str]
) -> Iterator[Request]:
    """Yield the same for OTLP, where labels are attributes of the resource, under the names of its conventions."""
    from footfall.report.profile.otlp import OTLP_PATH, render_otlp

    duration_ns = longest_thread_ns(profile)
    attributes = {_CONVENTIONAL.get(name, name): value for name, value in labels.items()}
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip", **headers}
    for body in render_otlp(profile, attributes, end_ns - duration_ns, duration_ns):
        yield Request(url + OTLP_PATH, headers, body)


def _read_token(name: str | None) -> str:
    """Return the token of a file, or of the environment. Raises FootfallError (`bad-token`)."""
    where = f"${_TOKEN_VARIABLE}" if name is None else name
    try:
        token = os.environ.get(_TOKEN_VARIABLE, "") if name is None else _read_text(name)
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is no text"
        raise FootfallError("bad-token", f"Can't read a token from {where}: {what}.", "Name another file.") from error
    token = token.strip()
    if not re.fullmatch(r"[\x21-\x7e]*", token) or (name is not None and not token):
        raise FootfallError("bad-token", f"There is no token in {where}.", "It is one word of ASCII characters.")
    return token


def _read_text(name: str) -> str:
    with open(name, encoding="ascii") as file:
        return file.read(1 << 16)


def _labels(
    service: str | None, version: str | None, host: str | None, given: tuple[str, ...], *, has_dots: bool
) -> dict[str, str]:
    """Return the labels by name. Raises UsageError (`no-service`, `bad-label`)."""
    service = service or os.environ.get(_SERVICE_VARIABLE)
    if not service:
        text = "The server needs the name of the program."
        raise UsageError("no-service", text, f"Name it by --service, or in {_SERVICE_VARIABLE}.")
    found = {"service_name": service, "host": host or socket.gethostname()}
    if version:
        found["service_version"] = version
    for label in given:
        name, equals, value = label.partition("=")
        is_name = re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.]*" if has_dots else r"[a-zA-Z_][a-zA-Z0-9_]*", name)
        if not equals or not value or not is_name or name.startswith("__"):
            characters = "digits, _ and ." if has_dots else "digits and _"
            text = f"--label {label} is not NAME=VALUE, with a name of letters, {characters}."
            raise UsageError("bad-label", text, "As in --label region=eu")
        if name in found or (has_dots and name in _CONVENTIONAL.values()):
            raise UsageError("bad-label", f"The label {name} is given twice.", "Leave one of them out.")
        found[name] = value
    return found
