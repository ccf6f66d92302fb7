"""What a connection and a login cost a server in processor time, and how many connections it takes."""

import os
import socket
import statistics
from dataclasses import dataclass

from .raw_bolt import RawClient

FIRST = 500
WARM_UP = 5_000
EACH = 2_000
ROUNDS = 3
CONNECTIONS_MAX = 2_000
SILENCE_S = 5


@dataclass(frozen=True)
class Cost:
    """Milliseconds of the server's processor time for each."""

    first_login: float
    login: float
    connection: float
    query: float

    @property
    def logging_in(self):
        """What the login takes beyond the connection."""
        return self.login - self.connection


def measure(uri, pid):
    first = each(pid, FIRST, lambda: log_in(uri, FIRST))
    log_in(uri, WARM_UP)
    greet(uri, WARM_UP)
    query(uri, WARM_UP)
    rounds = [
        (
            each(pid, EACH, lambda: log_in(uri, EACH)),
            each(pid, EACH, lambda: greet(uri, EACH)),
            each(pid, EACH, lambda: query(uri, EACH)),
        )
        for _ in range(ROUNDS)
    ]
    return Cost(first, *(statistics.median(column) for column in zip(*rounds)))


def log_in(uri, count):
    for _ in range(count):
        RawClient(uri).socket.close()


def greet(uri, count):
    for _ in range(count):
        RawClient(uri, password=None).socket.close()


def query(uri, count):
    with RawClient(uri) as client:
        for _ in range(count):
            client.query_once()


def each(pid, count, work):
    before = processor_s(pid)
    work()
    return (processor_s(pid) - before) / count * 1000


def processor_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Room:
    files_at_rest: int
    connections: int


def fill(uri, pid):
    """Opens connections, each with one query, until the server answers no more."""
    at_rest = len(os.listdir(f"/proc/{pid}/fd"))
    clients, answered = [], 0
    socket.setdefaulttimeout(SILENCE_S)
    try:
        while len(clients) < CONNECTIONS_MAX:
            clients.append(RawClient(uri))
            clients[-1].query_once()
            answered += 1
    except OSError:
        pass  # It is full: the kernel takes the connection, and nobody answers on it.
    finally:
        socket.setdefaulttimeout(None)
        for client in clients:
            client.socket.close()
    return Room(at_rest, answered)
