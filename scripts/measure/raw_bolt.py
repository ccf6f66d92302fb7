"""Just enough Bolt 5.4 on a raw socket to run a query and count what comes back, at no driver's cost."""

import socket
import struct

from .programs import PASSWORD


def string(text):
    data = text.encode()
    return b"\xd1" + struct.pack(">H", len(data)) + data


def run(query):
    return b"\xb3\x10" + string(query) + b"\xa0\xa0"


PULL_ALL = b"\xb1\x3f\xa1\x81n\xff"


class RawClient:
    def __init__(self, uri, password=PASSWORD):
        """Connects and logs in; without a password it only introduces itself."""
        host, port = uri.removeprefix("bolt://").split(":")
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(bytes.fromhex("6060b01700000405") + bytes(12))
        self.socket.recv(4)
        product = b"\xa1" + string("product") + string("results/1")
        self.send(b"\xb1\x01\xa2" + string("user_agent") + string("results/1") + string("bolt_agent") + product)
        self.socket.recv(4096)
        if password is None:
            return
        auth = {"scheme": "basic", "principal": "neo4j", "credentials": password}
        self.send(b"\xb1\x6a\xa3" + b"".join(string(part) for entry in auth.items() for part in entry))
        if b"\xb1\x70" not in self.socket.recv(4096):
            raise ConnectionError("the login failed")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *messages):
        self.socket.sendall(b"".join(struct.pack(">H", len(m)) + m + b"\0\0" for m in messages))

    def read_until(self, mark):
        tail = b""
        while not (mark in tail and tail.endswith(b"\0\0")):
            data = self.socket.recv(1 << 20)
            if not data:
                raise ConnectionError("the server closed the connection")
            tail = (tail + data)[-500:]

    def query_once(self):
        self.send(run("RETURN 1"), PULL_ALL)
        self.read_until(b"bookmark")
