"""A TCP relay in front of the server under test, which counts, listens in and fails on demand."""

import socket
import threading
from contextlib import suppress

TIMEOUT_S = 20


class Relay:
    """Listens on a free port of the loopback. `connections` are all it ever had, in order."""

    def __init__(self, server):
        self.server = server
        self.connections = []
        self.is_refusing = False
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self._acceptor.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(TIMEOUT_S)
        self.cut()

    def refuse(self):
        """Like a server that is gone: nothing stays open, nothing new is answered."""
        self.is_refusing = True
        self.cut()

    def serve(self):
        self.is_refusing = False

    def cut(self):
        for connection in list(self.connections):
            connection.close()

    def freeze(self):
        """Like a route that is lost: the connections there are stay open, and nothing arrives."""
        for connection in list(self.connections):
            connection.is_frozen = True

    def wait_for(self, condition):
        """Waits until the relay has seen what makes `condition()` true."""
        with self._changed:
            assert self._changed.wait_for(condition, TIMEOUT_S), "the relay did not see it happen"

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_refusing:
                client.close()
                continue
            connection = Relayed(client, socket.create_connection(self.server), self._changed)
            with self._changed:
                self.connections.append(connection)
                self._changed.notify_all()
            connection.start()


class Relayed:
    """One connection through the relay."""

    def __init__(self, client, server, changed):
        self.sent = b""
        self.is_frozen = False
        self.is_closed_by_client = False
        self._client = client
        self._server = server
        self._changed = changed

    def start(self):
        for pump in (self._pump_requests, self._pump_answers):
            threading.Thread(target=pump, daemon=True).start()

    @property
    def goodbyes(self):
        """How often the client said GOODBYE: a chunk of two bytes, tag 02, and the end mark."""
        return self.sent.count(b"\x00\x02\xb0\x02\x00\x00")

    def close(self):
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _pump_requests(self):
        for data in received(self._client):
            with self._changed:
                self.sent += data
                self._changed.notify_all()
            self._pass_on(data, self._server)
        with self._changed:
            self.is_closed_by_client = True
            self._changed.notify_all()
        self.close()

    def _pump_answers(self):
        for data in received(self._server):
            self._pass_on(data, self._client)
        self.close()

    def _pass_on(self, data, end):
        if not self.is_frozen:
            with suppress(OSError):  # The other end may be gone by now.
                end.sendall(data)


def received(end):
    while True:
        try:
            data = end.recv(65536)
        except OSError:
            return
        if not data:
            return
        yield data
