"""The server of `isthmus view`: read-only, on this machine alone, and only for whoever has its address.

Three things guard it. It listens on 127.0.0.1, so that no other machine reaches it. A request must name that address as
its host, so that a page from elsewhere cannot reach it under a name of its own (DNS rebinding). And every path begins
with a random token, so that other people on this machine, who can reach the port, see nothing. The token is in the
address that is printed, and nowhere else: links are relative, nothing is logged, no referrer is sent.

Paths name studies and stages, never files: they are looked up among those that there are.
"""

import errno
import hmac
import json
import secrets
import signal
import socket
import socketserver
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from isthmus.errors import IsthmusError, ResourceError
from isthmus.report.build import encoded
from isthmus.view.live import Studies
from isthmus.view.pages import Answer, NotThere, answer_to, refused

ADDRESS = "127.0.0.1"
#: Seconds that a connection has for its request, and how many may be at it at once: other people can open some, too.
LONGEST, MOST = 10.0, 64
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Viewer(ThreadingHTTPServer):
    """Serves the studies; ``port`` 0 is any that is free.

    Raises:
        ResourceError: the port is in use, or may not be used.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, studies: Studies, port: int) -> None:
        self.studies = studies
        #: connections whose request is not there yet, the oldest first, and when they began
        self._asking: dict[socket.socket, float] = {}
        self.token = secrets.token_urlsafe(24)
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            what = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise ResourceError(
                f"Port {port} of {ADDRESS} {what}: choose another with --port, or leave it out."
            ) from error

    def server_bind(self) -> None:
        """As a TCP server does; an HTTP server would look its name up in the network."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]

    def url(self, study: str | None = None) -> str:
        """The address of a study, or of the list of all."""
        path = f"study/{quote(study, safe='')}/" if study else ""
        return f"http://{ADDRESS}:{self.server_port}/{self.token}/{path}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread of its own, and remember it until it has asked for something."""
        self._asking[request] = time.monotonic()
        super().process_request(request, client_address)

    def asked(self, connection: socket.socket) -> None:
        """The request of a connection is there, or the connection at its end."""
        self._asking.pop(connection, None)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        self.asked(request)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End the connections that take too long to ask, and the oldest where there are too many of them."""
        begun = dict(self._asking)
        late = time.monotonic() - LONGEST
        for number, (connection, since) in enumerate(begun.items()):
            if since < late or len(begun) - number > MOST:
                self.asked(connection)
                with suppress(OSError):  # it has ended by itself
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that broke is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: Viewer
    server_version, sys_version = "isthmus", ""
    timeout = 30

    def do_GET(self) -> None:
        """Answer; what goes wrong is a sentence."""
        try:
            answer = self._answer()
        except NotThere as error:
            answer = refused(HTTPStatus.NOT_FOUND, str(error))
        except IsthmusError as error:
            answer = refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        except Exception as error:
            sentence = " ".join(f"Isthmus failed ({type(error).__name__}: {error}).".split())
            answer = refused(HTTPStatus.INTERNAL_SERVER_ERROR, sentence)
        self._send(answer)

    do_HEAD = do_GET

    def _refuse(self) -> None:
        self._send(refused(HTTPStatus.METHOD_NOT_ALLOWED, "This can only be looked at (GET, HEAD)."))

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = _refuse

    def parse_request(self) -> bool:
        """As the base class does: afterwards the whole head of the request is there."""
        try:
            return super().parse_request()
        finally:
            self.server.asked(self.connection)

    def _answer(self) -> Answer:
        port = self.server.server_port
        own = {f"{name}:{port}" for name in (ADDRESS, "localhost")}
        if self.headers.get_all("Host") not in [[name] for name in own]:
            return refused(HTTPStatus.MISDIRECTED_REQUEST, "This is not the host that isthmus view serves.")
        if self.headers.get("Origin", "") not in ("", *(f"http://{name}" for name in own)):
            return refused(HTTPStatus.FORBIDDEN, "Another site may not read this.")
        try:
            parts = [unquote(part) for part in urlsplit(self.path).path.split("/")][1:]
        except ValueError:  # as of a host in brackets that is none
            parts = []
        if not hmac.compare_digest(parts[0].encode(errors="replace") if parts else b"", self.server.token.encode()):
            raise NotThere("There is nothing here: open the address that isthmus view has printed.")
        return answer_to(tuple(parts[1:]), self.server.studies)

    def _send(self, answer: Answer) -> None:
        body = encoded(answer.body)
        try:
            self.send_response(answer.status)
            for name, value in (_HEADERS | answer.headers).items():
                self.send_header(name, value)
            self.send_header("Content-Type", f"{answer.type}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):  # whoever asked has gone
            self.close_connection = True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What is no HTTP gets a sentence, too."""
        self.close_connection = True
        self._send(refused(HTTPStatus(code), message or HTTPStatus(code).phrase))

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged: the paths hold the token."""


class Said(NamedTuple):
    """What to tell when the server is up."""

    url: str
    port: int


def serve(studies: Studies, port: int, study: str | None, tell: Callable[[Said], None], open_browser: bool) -> None:
    """Serve until interrupted or terminated; ``tell`` is told once the server listens. For the main thread alone.

    Raises:
        ResourceError: the port is in use, or may not be used.
    """
    with Viewer(studies, port) as viewer, _opened(viewer.url(study) if open_browser else None):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            studies.start()
            tell(Said(viewer.url(study), viewer.server_port))
            viewer.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            pass
        finally:
            studies.close()


@contextmanager
def _opened(url: str | None) -> Iterator[None]:
    """The address in the user's browser, by a file that nobody else can read: arguments of a program are public."""
    if url is None:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="isthmus-view-") as folder:  # of the user alone
        file = Path(folder) / "open.html"
        page = (
            f'<!doctype html><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0;{url}">'
        )
        file.write_text(page, encoding="utf-8")
        webbrowser.open(file.as_uri())
        yield


def as_json(said: Said) -> str:
    """What scripts are told."""
    return json.dumps(said._asdict())
