"""The clients of scripts/held-up, by Neo4j's driver and on raw sockets. A program by itself:

  holding.py CASE URI POOLS DIRECT   prints as JSON: `seconds` that somebody else had to wait, and `direct` that
                                     somebody waited who asked the server DIRECT at the same moment; the `pool` after
                                     that, and what is `wrong` besides. POOLS is where the pooler tells its numbers.
"""

import fcntl
import json
import os
import struct
import sys
import termios
import threading
import time
import urllib.request
from contextlib import ExitStack

from neo4j import GraphDatabase
from neo4j.exceptions import Neo4jError

from .raw_bolt import PULL_ALL, RawClient, run, string

CLIENTS = 20
HELD_MAX_S = 60
# So many looks, with so much time between them, see the same.
STILL_LOOKS, STILL_S = 4, 0.5
TIMED_OUT = "Neo.ClientError.Transaction.TransactionTimedOut"
PASSWORD = os.environ["HOLDING_PASSWORD"]


class Scene:
    def __init__(self, uri, pools, direct, stack):
        self.uri, self.pools, self.direct, self.stack = uri, pools, direct, stack
        self.direct_s, self.wrong = 0, []

    def driver(self):
        return self.stack.enter_context(GraphDatabase.driver(self.uri, auth=("neo4j", PASSWORD)))

    def raw(self):
        return self.stack.enter_context(RawClient(self.uri, PASSWORD))

    def numbers(self):
        with urllib.request.urlopen(self.pools, timeout=60) as answer:
            (pool,) = json.load(answer)
        return pool

    def until_all_hold(self):
        deadline = time.monotonic() + HELD_MAX_S
        while self.held() < CLIENTS:
            if time.monotonic() > deadline:
                sys.exit(f"only {self.held()} of {CLIENTS} connections are held after {HELD_MAX_S} s")
            time.sleep(0.05)

    def held(self):
        numbers = self.numbers()
        # A pooler of before has none parked.
        return numbers["sv_active"] + numbers.get("sv_parked", 0)

    def until_nothing_moves(self, clients):
        """The server fills buffers for seconds; until then these clients hold nobody up."""
        deadline, before, looks = time.monotonic() + HELD_MAX_S, None, 0
        while looks < STILL_LOOKS:
            if time.monotonic() > deadline:
                sys.exit(f"the server still sends after {HELD_MAX_S} s")
            waiting = [unread(client) for client in clients]
            looks = looks + 1 if waiting == before and all(waiting) else 0
            before = waiting
            time.sleep(STILL_S)

    def ask(self):
        """How long another client of the same user waits."""
        driver, beside = self.driver(), threading.Thread(target=self.ask_directly)
        beside.start()
        began = time.monotonic()
        driver.execute_query("RETURN 1")
        took = time.monotonic() - began
        beside.join()
        return took

    def ask_directly(self):
        began = time.monotonic()
        with RawClient(self.direct, PASSWORD) as client:
            client.query_once()
        self.direct_s = time.monotonic() - began


def transactions(scene):
    leak(scene)
    return scene.ask()


def leak(scene):
    driver = scene.driver()
    leaked = [driver.session().begin_transaction() for _ in range(CLIENTS)]
    for transaction in leaked:
        transaction.run("RETURN 1").consume()
    scene.until_all_hold()
    return leaked


def unread(client):
    """Bytes that have arrived for a client."""
    count = fcntl.ioctl(client.socket, termios.FIONREAD, bytes(4))
    return struct.unpack("i", count)[0]


def uploads(scene):
    """Of the parameter of a RUN, the first half is sent; it is far longer than what is gathered."""
    chunk, size = 0xFFFF, 2 << 20
    begun = b"\xb3\x10" + string("RETURN size($x)") + b"\xa1" + string("x") + b"\xd2" + struct.pack(">I", size)
    half = begun + b"x" * (size // 2)
    for _ in range(CLIENTS):
        client = scene.raw()
        for at in range(0, len(half) - chunk, chunk):
            client.socket.sendall(struct.pack(">H", chunk) + half[at : at + chunk])
    scene.until_all_hold()
    return scene.ask()


def readers(scene):
    """What is asked for fits into no socket's buffers."""
    text = "x" * 1000
    clients = [scene.raw() for _ in range(CLIENTS)]
    for client in clients:
        client.send(run(f"UNWIND range(1, 30000) AS i RETURN i, '{text}'"), PULL_ALL)
    scene.until_all_hold()
    scene.until_nothing_moves(clients)
    return scene.ask()


def nested(scene):
    driver, all_hold, waits = scene.driver(), threading.Barrier(CLIENTS), []

    def task():
        with driver.session() as outer, outer.begin_transaction() as transaction:
            transaction.run("RETURN 1").consume()
            all_hold.wait(HELD_MAX_S)
            began = time.monotonic()
            with driver.session() as inner:
                inner.run("RETURN 2").consume()
            waits.append(time.monotonic() - began)
            transaction.commit()

    tasks = [threading.Thread(target=task) for _ in range(CLIENTS)]
    for thread in tasks:
        thread.start()
    for thread in tasks:
        thread.join()
    if len(waits) < CLIENTS:
        scene.wrong.append(f"only {len(waits)} of {CLIENTS} second sessions were answered")
    return max(waits, default=0)


def contended(scene):
    leaked = leak(scene)
    seconds = scene.ask()
    told = {number: outcome for number, outcome in enumerate(map(ending, leaked)) if outcome}
    # The first to be opened was the first to be asked, and has rested longest.
    reason = told.get(0, "")
    is_told = reason.startswith(f"{TIMED_OUT} ") and "contended_idle_timeout" in reason
    if list(told) != [0] or not is_told:
        scene.wrong.append(f"not exactly the one that rested longest was told that it was rolled back: {told}")
    return seconds


def ending(transaction):
    """What a client hears that goes on with its transaction; nothing if that is well."""
    try:
        transaction.run("RETURN 1").consume()
        transaction.commit()
    except Neo4jError as error:
        return f"{error.code} {error.message}"
    return ""


def main(case, uri, pools, direct):
    with ExitStack() as stack:
        scene = Scene(uri, pools, direct, stack)
        seconds = CASES[case](scene)
        names = ("sv_active", "sv_parked", "sv_idle", "cl_waiting")
        numbers = scene.numbers()
        pool = ", ".join(f"{name} {numbers.get(name, 'unknown')}" for name in names)
        seen = {"seconds": seconds, "direct": scene.direct_s, "pool": pool, "wrong": scene.wrong}
        print(json.dumps(seen), flush=True)
        # What is still held is not waited for.
        os._exit(0)


CASES = {case.__name__: case for case in (transactions, uploads, readers, nested, contended)}

if __name__ == "__main__":
    main(*sys.argv[1:])
