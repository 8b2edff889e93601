"""`footfall serve`: answers editors, agents and other programs by JSON-RPC."""

from __future__ import annotations

import os

import click

from footfall.cli.options import config_option, data_file_option
from footfall.errors import UsageError
from footfall.service.mcp import McpServer
from footfall.service.server import Server
from footfall.service.stdio import serve_streams
from footfall.service.workspace import Workspace
from footfall.session.output import writing_report

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall serve --stdio
  footfall serve --stdio --data-file=ci.coverage
  footfall serve --stdio --allow ~/profiles
  footfall serve --mcp
"""


@click.command("serve", epilog=_EXAMPLES)
@click.option("--stdio", is_flag=True, help="Read requests from stdin, and write answers to stdout.")
@click.option("--mcp", is_flag=True, help="Be a server of the Model Context Protocol on stdin and stdout, for agents.")
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    metavar="DIR",
    help="A directory outside the project whose profiles may be opened. Can be given several times.",
)
@data_file_option
@config_option
def command(stdio: bool, mcp: bool, allowed: tuple[str, ...], data_file: str | None, config_file: str | None) -> int:
    """Answer an editor's questions about coverage and time in the project of the current directory.

    The protocol is JSON-RPC 2.0, with the framing of language servers; docs/protocol.md describes its methods. The
    service reads the data file and writes nothing. It ends when the client says so or closes stdin. To ask a single
    question, use `footfall query`. With --mcp the methods are tools for agents.
    """
    if stdio == mcp:
        what = "`footfall serve` speaks on stdin and stdout, by one of two protocols."
        raise UsageError("no-transport", what, "Say which: --stdio for editors, or --mcp for agents.")
    with writing_report():
        output_fd = os.dup(1)
    os.dup2(2, 1)  # what a plugin of coverage.py prints must not end up among the answers
    workspace = Workspace(data_file=data_file, config_file=config_file, allowed=allowed)
    serve_streams(McpServer(workspace) if mcp else Server(workspace), 0, output_fd)
    return 0
