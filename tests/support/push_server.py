"""A server for pushed profiles, in a thread of the test: it keeps what it gets, and answers as it is told."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple


class Answer(NamedTuple):
    """What the server answers."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Received(NamedTuple):
    """A request."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class PushServer:
    """`answers` are used up one after another; then all is well."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: list[Answer] = []
        self.url = ""

    def take(self, request: Received) -> Answer:
        self.received.append(request)
        return self.answers.pop(0) if self.answers else Answer()


@contextmanager
def closed_port() -> Iterator[socket.socket]:
    """A socket whose port answers nobody until it listens, and that no other program is given meanwhile."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        yield found


@contextmanager
def push_server(certificate: str | None = None, *, bound: socket.socket | None = None) -> Iterator[PushServer]:
    """Serve on a free port, or a socket's, until the block ends; `certificate` is a file with a certificate and its key."""
    found = PushServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = found.take(Received(self.path, self.headers, body))
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_arguments: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_arguments: object) -> None:
            pass  # a client that does not trust the certificate closes the connection

    with Server(("127.0.0.1", 0), Handler) as server:
        if bound is not None:
            server.socket.close()
            server.socket, server.server_address = bound, bound.getsockname()
            server.server_activate()
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        found.url = f"{'http' if certificate is None else 'https'}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
