"""A scripted server that has everything done by a running project: what it misbehaves about has really happened."""

import contextlib
import http.client
from urllib.parse import urlsplit

from spots_ml_tests.stores.supabase.scripted_server import Handler, ScriptedServer

OF_ONE_HOP = ("connection", "content-length", "date", "host", "keep-alive", "transfer-encoding")


class Relay(ScriptedServer):
    """A server in front of another one; use it as a context."""

    def __init__(self, url):
        super().__init__()
        self.behind = urlsplit(url).netloc
        self._http.RequestHandlerClass = RelayHandler


class RelayHandler(Handler):
    def respond(self):
        with contextlib.closing(http.client.HTTPConnection(self.server.owner.behind, timeout=30)) as connection:
            connection.request(self.command, self.path, self.content, end_to_end(self.headers.items()))
            response = connection.getresponse()
            return response.status, end_to_end(response.getheaders()), response.read()


def end_to_end(headers):
    return {name: value for name, value in headers if name.lower() not in OF_ONE_HOP}
