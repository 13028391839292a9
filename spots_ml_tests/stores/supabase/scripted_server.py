"""A small server on loopback that speaks the parts of PostgREST and Storage that are used, and misbehaves on request.

It keeps one table and the files of one bucket in memory. Faults are given out one per request, in order; after the last
it behaves.
"""

import contextlib
import json
import operator
import re
import socket
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

KEY = "sb_secret_0123456789abcdefghijklmnopqrstu"

OPERATORS = {
    "eq": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
STORAGE = "/storage/v1/object/"
BUCKET = "models"
TERM = re.compile(r'(\w+)\.(eq|gt|gte|lt|lte)\."((?:[^"\\]|\\.)*)"')

Fault = Callable[["Handler"], None]


class ScriptedServer:
    """The server; use it as a context."""

    def __init__(self, rows=(), *, max_rows=1000):
        self.rows = list(rows)
        self.max_rows = max_rows
        self.page_caps = deque()
        self.faults = deque()
        self.requests = []
        self.headers = []
        self.peers = []
        self.files = {}
        self.applied = []
        self.told_count = None
        self.released = threading.Event()
        self._http = Listener(("127.0.0.1", 0), Handler)
        self._http.owner = self
        self._connections = set()
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self):
        return f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self._http.shutdown()
        self._thread.join()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._http.server_close()

    def open_connections(self):
        return len(self._connections)

    def methods(self):
        return [method for method, _ in self.requests]

    def matching(self, query):
        found = self.rows
        for name, value in query:
            if name == "or":
                found = [row for row in found if disjunction(row, value)]
            elif name not in ("select", "order", "limit", "columns", "on_conflict"):
                found = [row for row in found if condition(row, name, *value.split(".", 1))]
        return found

    def page(self, query):
        told = dict(query)
        order = [part.removesuffix(".asc") for part in told.get("order", "").split(",") if part]
        found = sorted(self.matching(query), key=lambda row: tuple(row[name] for name in order))
        cap = self.page_caps.popleft() if self.page_caps else self.max_rows
        found = found[: min(cap, int(told.get("limit", cap)))]
        columns = told["select"].split(",")
        return [{name: row[name] for name in columns} for row in found]


class Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that went away is part of the script; anything else is an error of the server itself."""
        if not isinstance(sys.exception(), OSError):
            raise


def condition(row, column, name, value):
    if name == "not.is" or (name == "not" and value == "is.null"):
        return row[column] is not None
    return OPERATORS[name](row[column], type(row[column])(value))


def disjunction(row, text):
    """Read `(a.gt."1",and(a.eq."1",b.gt."2"))`."""
    inner = text[1:-1]
    groups, position = [], 0
    while position < len(inner):
        if inner.startswith("and(", position):
            position, group = position + 4, []
            while inner[position] != ")":
                match = TERM.match(inner, position)
                group.append(match)
                position = match.end() + (inner[match.end()] == ",")
            position += 2
        else:
            match = TERM.match(inner, position)
            group, position = [match], match.end() + 1
        groups.append(group)
    return any(all(condition(row, m[1], m[2], re.sub(r"\\(.)", r"\1", m[3])) for m in group) for group in groups)


def refusal_of_storage(status, error, message):
    return json.dumps({"statusCode": str(status), "error": error, "message": message}).encode()


def content_of_form(headers, body):
    """The content of the field `file` of a form."""
    form = message_from_bytes(b"Content-Type: " + headers["Content-Type"].encode() + b"\r\n\r\n" + body, policy=HTTP)
    (content,) = (part for part in form.iter_parts() if part.get_param("name", header="content-disposition") == "file")
    return content.get_payload(decode=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.owner._connections.add(self.connection)

    def finish(self):
        self.server.owner._connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *_):
        pass

    def answer(self):
        owner = self.server.owner
        address = urlsplit(self.path)
        self.query = parse_qsl(address.query, keep_blank_values=True)
        self.content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        owner.requests.append((self.command, address.path))
        owner.headers.append(dict(self.headers))
        owner.peers.append(self.client_address)
        if owner.faults:
            owner.faults.popleft()(self)
        else:
            self.behave()

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - names of http.server

    def behave(self):
        self.send(*self.respond())

    def respond(self):
        """Do what is asked; the status, headers and body that say so."""
        owner = self.server.owner
        if self.headers.get("apikey") != KEY:
            return 401, {}, b'{"message": "Invalid API key"}'
        path = urlsplit(self.path).path
        if path.startswith(STORAGE):
            return self.of_storage(path.removeprefix(STORAGE))
        if self.command in ("POST", "PATCH", "DELETE"):
            row = json.loads(self.content)
            owner.applied.append(row)
            return 201, {"Content-Type": "application/json", "Content-Range": "*/*"}, json.dumps([row]).encode()
        headers = {"Content-Type": "application/json", "Content-Range": "0-0/*"}
        if "count=exact" in self.headers.get("Prefer", ""):
            count = len(owner.matching(self.query)) if owner.told_count is None else owner.told_count
            headers["Content-Range"] = f"*/{count}"
        if self.command == "HEAD":
            return 200, headers, b""
        return 200, headers, json.dumps(owner.page(self.query)).encode()

    def of_storage(self, path):
        """Storage sends 400 for what it refuses, and tells the status in the body."""
        owner, path = self.server.owner, path.removeprefix("info/")
        bucket, _, name = path.partition("/")
        told = {"Content-Type": "application/json"}
        if bucket != BUCKET:
            return 400, told, refusal_of_storage(404, "Bucket not found", "Bucket not found")
        if self.command == "POST":
            if name in owner.files:
                return 400, told, refusal_of_storage(409, "Duplicate", "The resource already exists")
            owner.files[name] = content_of_form(self.headers, self.content)
            return 200, told, json.dumps({"Key": path, "Id": "1"}).encode()
        if name not in owner.files:
            return 400, told, refusal_of_storage(404, "not_found", "Object not found")
        if "/info/" in self.path:
            return 200, told, b"{}"
        return 200, {"Content-Type": "application/octet-stream"}, owner.files[name]

    def send(self, status, headers, body, *, sent=None, framed=True):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if framed:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if sent is None else body[:sent])
        self.wfile.flush()

    def reset(self):
        """Drop the connection with RST."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def reset_before_headers(handler):
    handler.reset()


def reset_after_headers(handler):
    handler.send(*handler.respond(), sent=0)
    handler.reset()


def closed_without_answer(handler):
    handler.close_connection = True


def body_cut(handler):
    """Half the body, then the end of the connection."""
    status, headers, body = handler.respond()
    handler.send(status, headers, body, sent=len(body) // 2)
    handler.close_connection = True


def body_cut_unnoticed(handler):
    """Half the body with no length told: only the JSON shows that it was cut."""
    status, headers, body = handler.respond()
    handler.send(status, {**headers, "Connection": "close"}, body, sent=len(body) // 2, framed=False)
    handler.close_connection = True


def applied_then_reset(handler):
    """The change is made, the answer never comes."""
    handler.respond()
    handler.reset()


def hang(handler):
    handler.close_connection = True
    handler.server.owner.released.wait(60)


def behave(handler):
    handler.behave()


def refuse(status, body=b"", **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def fault(handler):
        shown = b"" if handler.command == "HEAD" else content
        handler.send(status, {name.replace("_", "-"): value for name, value in headers.items()}, shown)

    return fault
