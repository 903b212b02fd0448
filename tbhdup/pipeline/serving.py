"""The server of the review page: this machine only, for whoever has the token.

It answers on 127.0.0.1, and only requests that name it as their host, that come from its own page or from nowhere, and
that carry the token; and it gives nothing but the page and the pictures of the report, by number. All else is 403.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tbhdup.errors import TbhdupError
from tbhdup.pipeline.review import Review
from tbhdup.pipeline.thumbnails import SIDE, thumbnail

VIEW = 1600  # pixels, the longer side of a picture that is looked at closely
BODY_LIMIT = 64 << 20  # bytes of a request

_PICTURE = re.compile(r"/(thumbnail|view)/(\d{1,9})", re.ASCII)
_SIDES = {"thumbnail": SIDE, "view": VIEW}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Server(ThreadingHTTPServer):
    """Serves one review until `shutdown`, or until it is interrupted."""

    daemon_threads = True

    def __init__(self, review: Review) -> None:
        self.review = review
        self.token = secrets.token_urlsafe(32)
        self.drawing = BoundedSemaphore(os.cpu_count() or 1)  # pictures that are decoded at a time
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        """As TCPServer does it: HTTPServer also asks the network for a name, which can take minutes."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle of an answer is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def hosts(self) -> tuple[str, str]:
        """What a request may call this server."""
        return f"127.0.0.1:{self.server_port}", f"localhost:{self.server_port}"

    @property
    def address(self) -> str:
        """Where the page is, token included."""
        return f"http://{self.hosts[0]}/?token={self.token}"


class _Refused(Exception):
    """A request that gets no answer but a status and a line."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "tbhdup", ""
    timeout = 60  # seconds, for a request that does not go on

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, work: Any) -> None:
        try:
            path = self._checked()
            work(path)
        except _Refused as refused:
            self.close_connection = True  # its body may not have been read
            self._send(f"{refused}\n".encode(), "text/plain; charset=utf-8", refused.status)
        except TbhdupError as error:
            self._send(
                f"{error}\n".encode("utf-8", "replace"), "text/plain; charset=utf-8", HTTPStatus.INTERNAL_SERVER_ERROR
            )

    def _checked(self) -> str:
        """The path of a request that may be answered. Raises _Refused."""
        if self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts]:
            raise _Refused(HTTPStatus.FORBIDDEN, "another host")
        origins = [f"http://{host}" for host in self.server.hosts]
        if any(origin not in origins for origin in self.headers.get_all("Origin", [])):
            raise _Refused(HTTPStatus.FORBIDDEN, "another origin")
        if self.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            raise _Refused(HTTPStatus.FORBIDDEN, "another site")
        url = urlsplit(self.path)
        tokens = parse_qs(url.query).get("token", [""])
        if not hmac.compare_digest(tokens[-1].encode(), self.server.token.encode()):
            raise _Refused(HTTPStatus.FORBIDDEN, "no valid token: open the address that tbhdup review has printed")
        return url.path

    def _get(self, path: str) -> None:
        if path == "/":
            self._send(b"".join(self.server.review.page()), "text/html; charset=utf-8")
            return
        asked = _PICTURE.fullmatch(path)
        if asked is None or int(asked[2]) >= len(self.server.review.pictures):
            raise _Refused(HTTPStatus.FORBIDDEN, "no part of the report")
        with self.server.drawing:
            drawn = thumbnail(self.server.review.pictures[int(asked[2])], _SIDES[asked[1]])
        if drawn is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "the file has changed since the report")
        self._send(drawn, "image/webp", cache="private, max-age=86400")

    def _post(self, path: str) -> None:
        body = self._body()
        try:
            if path == "/choices":
                self.server.review.choose({_whole(number): _choice(stay) for number, stay in _items(body)})
                answer: object = {}
            elif path == "/apart":
                answer = self.server.review.set_apart(_whole(body["picture"]), revoke=body["revoke"] is True)
            else:
                raise _Refused(HTTPStatus.FORBIDDEN, "no part of the report")
        except (ValueError, KeyError, TypeError) as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, str(error)) from error
        self._send(json.dumps(answer).encode(), "application/json")

    def _body(self) -> Any:
        """The JSON that came with the request."""
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"\d{1,9}", length, re.ASCII) or int(length) > BODY_LIMIT:
            raise _Refused(HTTPStatus.BAD_REQUEST, "no body of a known length")
        try:
            return json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, "no JSON") from error

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK, cache: str = "no-store") -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, "Cache-Control": cache}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Requests are not logged: their addresses hold the token."""


def _items(body: Any) -> list[tuple[object, object]]:
    """The pairs of group and choice."""
    if not isinstance(body, list):
        raise ValueError("no list of choices")
    return [(number, stay) for number, stay in body]


def _whole(number: object) -> int:
    if type(number) is not int:
        raise ValueError(f"{number!r:.40} is no number")
    return number


def _choice(stay: object) -> list[bool] | None:
    if stay is None:
        return None
    if not isinstance(stay, list) or not all(type(one) is bool for one in stay):
        raise ValueError(f"{stay!r:.40} is no choice")
    return stay
