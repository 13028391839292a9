"""A proxy on loopback that passes bytes on and cuts connections after given numbers of them, in either direction.

It knows nothing of HTTP: a cut falls into the middle of a header, of a body, or between a change and its answer.
"""

import contextlib
import socket
import threading
from urllib.parse import urlsplit


class CuttingProxy:
    """The proxy; use it as a context.

    Args:
        url: The address of the server behind it.
        allowances: For each connection in turn, how many bytes pass before it is cut: of those that the client sends
            (`sent`) and of those that it receives (`received`); a direction that is not named is not cut.
    """

    def __init__(self, url, allowances):
        parts = urlsplit(url)
        self._behind = (parts.hostname, parts.port)
        self._allowances = allowances
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = set()
        self._threads = [threading.Thread(target=self._accept)]
        self.n_cuts = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *_):
        # A listener that waits is woken by its shutdown, not by its closing.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for end in list(self._sockets):
            shut(end)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            connection = Connection(client, socket.create_connection(self._behind), next(self._allowances))
            self._sockets.update(connection.ends)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        answering = threading.Thread(target=connection.pass_on, args=("received",))
        answering.start()
        connection.pass_on("sent")
        answering.join()
        self.n_cuts += connection.was_cut
        self._sockets.difference_update(connection.ends)
        for end in connection.ends:
            end.close()


class Connection:
    def __init__(self, client, server, allowance):
        self.ends = (client, server)
        self._allowance = allowance
        self.was_cut = False

    def pass_on(self, direction):
        source, target = self.ends if direction == "sent" else reversed(self.ends)
        left = self._allowance.get(direction)
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk if left is None else chunk[:left])
                left = None if left is None else left - len(chunk)
                if left is not None and left <= 0:
                    self.was_cut = True
                    break
        for end in self.ends:
            shut(end)


def shut(end):
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
