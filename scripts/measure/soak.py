"""The command scripts/soak: everything that a pooler goes through, again and again, and what it leaves."""

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import dataclass

from . import documents, soak_page
from .cross_talk import build_client
from .poolers import Pooler
from .programs import PASSWORD, Programs, boltbouncer, fail, free_port, said, step

MINUTES = 30
CYCLE_S = 75
# Of each cycle; the rest is quiet.
LOADED = 0.75
CLIENTS = 80
RELOADS = 8
SHUTDOWN_S = 5
LIMITS = {
    "max_connection_pool_size": 8,
    "connection_acquisition_timeout": 1,
    "max_connection_lifetime": 10,
    "max_idle_time": 2,
    "liveness_check_timeout": 0.2,
    "idle_in_transaction_timeout": 0.3,
    "transaction_timeout": 1,
    "connection_timeout": 5,
    "client_login_timeout": 5,
    "auth_cache_ttl": 5,
    "shutdown_timeout": SHUTDOWN_S,
}
RELOADED = {**LIMITS, "max_connection_pool_size": 3, "max_connection_lifetime": 2, "max_user_client_connections": 60}
QUIET_MAX_S = 30
UNASKED_MAX_S = 5
# As /proc/net/tcp has them.
ESTABLISHED, CLOSE_WAIT = "01", "08"


@dataclass(frozen=True)
class Reading:
    """What the pooler has at one moment."""

    rss_kib: int
    files: int
    threads: int
    pools: dict
    at_server: int

    @property
    def shown(self):
        return self.files, self.threads, self.at_server, *(self.pools[name] for name in soak_page.POOL_NUMBERS)


@dataclass(frozen=True)
class Cycle:
    load: dict
    drain_s: float
    drain_code: int
    busiest: Reading
    quiet: Reading


def main(head):
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="scripts/soak", description=head, formatter_class=form)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    minutes = parser.parse_args().minutes
    if not 1 <= minutes <= 600:
        parser.error("--minutes is from 1 to 600")
    binary, client = boltbouncer(), build_client()
    # Three at least: one to warm up, and two to see whether anything grows.
    cycles = max(3, round(minutes * 60 / CYCLE_S))
    with Programs() as programs:
        soak = Soak(programs, binary, client, minutes * 60 / cycles)
        fresh = soak.reading()
        done = [soak.cycle(number) for number in range(cycles)]
    text = soak_page.document(minutes, fresh, done, said(binary, "--version"))
    print(text)
    if minutes >= MINUTES:
        documents.write("soak.md", text)
    sys.exit(bool(soak_page.problems(done)))


class Soak:
    def __init__(self, programs, binary, client, seconds):
        self.programs, self.binary, self.client, self.seconds = programs, binary, client, seconds
        self.port = free_port()
        self.start_server()
        self.relay = programs.start("relay", client, "relay", "--to", self.server, "--cut-ms", "500")
        self.pooler = Pooler(programs, binary, self.relay.uri, LIMITS, name="pooler")
        self.drained = Pooler(programs, binary, self.relay.uri, LIMITS, name="drained")

    @property
    def server(self):
        return f"bolt://127.0.0.1:{self.port}"

    def start_server(self):
        words = ["--listen", f"127.0.0.1:{self.port}", "--password", PASSWORD, "--transaction-memory-mb", "1024"]
        self.sandbox = self.programs.start("sandbox", self.binary, "sandbox", *words)

    def cycle(self, number):
        step(f"cycle {number + 1}")
        loaded_s = self.seconds * LOADED
        load = self.start_load(number, loaded_s)
        began, busiest, drain = time.monotonic(), None, None
        moments = sorted([(part / RELOADS, "reload") for part in range(RELOADS)] + [(0.3, "restart"), (0.6, "drain")])
        for count, (moment, what) in enumerate(moments):
            time.sleep(max(0, began + moment * loaded_s - time.monotonic()))
            if what == "reload":
                self.pooler.reload(RELOADED if count % 2 else LIMITS)
            elif what == "restart":
                self.restart_server(signal.SIGKILL if number % 2 else signal.SIGTERM)
            else:
                drain = self.drain()
            busiest = max(filter(None, (busiest, self.reading())), key=lambda reading: reading.rss_kib)
        self.pooler.reload(LIMITS)
        outcome = self.end_of(load, loaded_s)
        self.let_it_rest(began + self.seconds)
        quiet = self.reading()
        print(f"{quiet.rss_kib} KiB, {quiet.shown}", file=sys.stderr)
        return Cycle(outcome, *drain, busiest, quiet)

    def start_load(self, number, seconds):
        words = ["--pooler", self.pooler.uri, "--pooler", self.drained.uri, "--server", self.server, "--no-audit"]
        words += ["--clients", f"{CLIENTS}", "--seconds", f"{seconds:.0f}", "--seed", f"{number}"]
        environment = dict(os.environ, CROSS_TALK_PASSWORD=PASSWORD)
        return self.programs.start(
            "load", self.client, "load", *words, env=environment, is_ready=lambda: True
        )

    def end_of(self, load, seconds):
        code = load.process.wait(seconds + 120)
        self.programs.stop(load)
        return json.loads(load.uri) if code == 0 else fail(f"the load ended with {code}")

    def restart_server(self, how):
        self.programs.running.remove(self.sandbox)
        self.sandbox.process.send_signal(how)
        self.sandbox.process.wait(30)
        time.sleep(1)
        self.start_server()

    def drain(self):
        """How long the second pooler took to end in order, and its exit code; then it is there again."""
        began = time.monotonic()
        code = self.drained.drain()
        took = time.monotonic() - began
        self.drained.start()
        return took, code

    def let_it_rest(self, until):
        """Until the cycle is over and idle connections have been closed, if that ever comes."""
        self.pooler.when_quiet()
        patience = time.monotonic() + QUIET_MAX_S
        while time.monotonic() < until or (self.pooler.pools()["open"] and time.monotonic() < patience):
            time.sleep(0.5)

    def reading(self):
        self.when_unasked()
        process = f"/proc/{self.pooler.program.pid}"
        with open(f"{process}/status", encoding="ascii") as status:
            fields = dict(line.split(":", 1) for line in status)
        files = len(os.listdir(f"{process}/fd"))
        rss, threads = int(fields["VmRSS"].split()[0]), int(fields["Threads"])
        return Reading(rss, files, threads, self.pooler.pools(), len(connections(self.port, {ESTABLISHED})))

    def when_unasked(self):
        """Waits until no admin connection is left: the one by which this asked last is open for a moment longer."""
        port = int(self.pooler.admin.rpartition(":")[2])
        until = time.monotonic() + UNASKED_MAX_S
        while connections(port, {ESTABLISHED, CLOSE_WAIT}) and time.monotonic() < until:
            time.sleep(0.01)


def connections(port, states):
    """The ends at a port of this machine that are in one of these states, as the kernel lists them."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    return [row for row in rows if row[1].endswith(f":{port:04X}") and row[3] in states]
