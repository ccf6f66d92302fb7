"""Writes docs/results/README.md from lab runs, and measures the sandbox beside a Neo4j.

Speed is compared in interleaved rounds of one run, so that whatever else the machine does hits
both alike. Nothing here is a target; what was measured is printed.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import resource
import socket
import statistics
import struct
import subprocess
import time

from neo4j import GraphDatabase

ROUNDS = 10
QUERIES = 300
RECORDS = 1_000_000
IDLE_CONNECTIONS = 10_000
IDLE_CLIENTS = 5_000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=pathlib.Path)
    parser.add_argument("--neo4j", required=True)
    parser.add_argument("--sandbox", required=True)
    arguments = parser.parse_args()
    with running(arguments.sandbox, "sandbox", "--password", os.environ["NEO4J_PASSWORD"]) as (uri, sandbox_pid):
        uris = {"Neo4j": arguments.neo4j, "sandbox": uri}
        with running(arguments.sandbox, "serve", "--upstream", uri) as (uris["pooler"], pooler_pid):
            print(document(arguments, uris, sandbox_pid, pooler_pid))


@contextlib.contextmanager
def running(program, *command):
    """A part of the program in a process of its own: its URI and process id."""
    command = [program, *command, "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.terminate()


def document(arguments, uris, sandbox_pid, pooler_pid):
    today = datetime.date.today().isoformat()
    machine = f"{platform.system()}, {platform.machine()}, {os.cpu_count()} processors"
    parts = [
        "# Measured results\n",
        f"Made by `scripts/results` on {today}; {machine}. The machine is shared: times vary from run to run,",
        "counts do not.\n",
        "Elsewhere: [what the pooler costs](performance.md), [the patterns on Airflow](airflow.md), [Docker Compose](compose.md),",
        "drivers [direct](matrix.md) and [through the pooler](matrix-pooler.md), [fuzzing](fuzz.md).\n",
        "## The lab: 100 tasks, 32 at once, 5 calls each, 200 ms of other work after each call\n",
        lab_table(arguments.runs),
        "\nOpened is exactly tasks × calls for *problematic* and exactly tasks for *improved* on every server.",
        "With 5 calls a task, 80 % fewer at the peak is the ceiling for *improved*. *Pooled* is the problematic",
        f"tasks behind a pooler with a pool of {pool_size(arguments.runs)}; one more connection may be opened to check the password.",
        "Python processes take longer to start than a task works, so fewer of them run at the same moment and the",
        "peak is lower for the first two patterns.\n",
        "The Rust driver does not switch off Nagle's algorithm, so that a login waits about 40 ms for an",
        "acknowledgement on loopback; that is most of its time to the first answer here.\n",
        "The [report of the run on Neo4j 5.26.0](neo4j-report.html) with the Rust worker, and its charts:\n",
        "![Idle connections](neo4j-idle-connections.png)\n",
        "![Connections opened and closed](neo4j-opened-closed.png)\n",
        "## The sandbox's speed beside Neo4j 5.26.0\n",
        speed_table(uris),
        f"\n{ROUNDS} rounds, each visiting both servers; medians, with the smallest and largest round in brackets.",
        f"`RETURN 1`: {QUERIES} auto-commit queries a round with one Python driver, p50. Stream: `UNWIND range(1, {RECORDS})",
        "AS n RETURN n` to a raw socket that counts bytes.\n",
        "## Memory for idle connections\n",
        "The sandbox, " + idle_memory(uris["sandbox"], sandbox_pid, IDLE_CONNECTIONS),
        "\nThe pooler, " + idle_memory(uris["pooler"], pooler_pid, IDLE_CLIENTS),
        "\nOf the pooler's, about 0.3 KiB are the session, as much its task, 0.3 KiB what the lists and metrics",
        "know of it (read from the sizes of the types); the rest is the socket in Tokio and the allocator's.",
    ]
    return "\n".join(parts)


def results_of(run):
    (results,) = run.glob("*/results.json")
    return json.loads(results.read_text())


def pool_size(runs):
    (size,) = {results_of(run)["settings"]["pool_size"] for run in runs.iterdir()}
    return size


def lab_table(runs):
    lines = [
        "| server, worker | pattern | opened | peak open | change of the peak | failed | wall time | first answer p50 |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for run in sorted(runs.iterdir()):
        patterns = results_of(run)["patterns"]
        first_peak = patterns[0]["connections"]["peak_open"]
        for pattern in patterns:
            connections = pattern["connections"]
            change = (connections["peak_open"] - first_peak) / first_peak * 100
            lines.append(
                f"| {run.name} | {pattern['name']} | {connections['opened']} | {connections['peak_open']}"
                f" | {f'−{-change:.0f} %' if change else ''} | {pattern['tasks']['failed']}"
                f" | {pattern['wall_s']:.1f} s | {pattern['first_answer']['ms']['p50']:.0f} ms |"
            )
    return "\n".join(lines)


def speed_table(uris):
    latencies = {name: [] for name in uris}
    rates = {name: [] for name in uris}
    drivers = {name: driver(uri) for name, uri in uris.items()}
    for name in uris:
        query_p50(drivers[name])
        stream_rate(uris[name])
    for _ in range(ROUNDS):
        for name, uri in uris.items():
            latencies[name].append(query_p50(drivers[name]))
            rates[name].append(stream_rate(uri))
    for opened in drivers.values():
        opened.close()
    latency_ratios = [a / b for a, b in zip(latencies["sandbox"], latencies["Neo4j"])]
    rate_ratios = [a / b for a, b in zip(rates["sandbox"], rates["Neo4j"])]
    return "\n".join(
        [
            "| | Neo4j | sandbox | sandbox / Neo4j |",
            "|---|---:|---:|---:|",
            f"| `RETURN 1`, p50 | {spread(latencies['Neo4j'], '{:.2f} ms')} | {spread(latencies['sandbox'], '{:.2f} ms')}"
            f" | {spread(latency_ratios, '{:.2f}')} |",
            f"| records streamed per second | {spread(rates['Neo4j'], '{:.2f} M')} | {spread(rates['sandbox'], '{:.2f} M')}"
            f" | {spread(rate_ratios, '{:.1f}')} |",
        ]
    )


def spread(values, form):
    median, low, high = statistics.median(values), min(values), max(values)
    return f"{form.format(median)} ({form.format(low)}–{form.format(high)})"


def driver(uri):
    return GraphDatabase.driver(uri, auth=("neo4j", os.environ["NEO4J_PASSWORD"]))


def query_p50(opened):
    times = []
    with opened.session() as session:
        for _ in range(QUERIES):
            began = time.perf_counter()
            session.run("RETURN 1").consume()
            times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def stream_rate(uri):
    """Million records a second."""
    with RawClient(uri) as client:
        began = time.perf_counter()
        client.send(run(f"UNWIND range(1, {RECORDS}) AS n RETURN n"), PULL_ALL)
        client.read_until(b"bookmark")
        return RECORDS / (time.perf_counter() - began) / 1e6


def idle_memory(uri, pid, count):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with RawClient(uri) as warm_up:
        warm_up.query_once()
    before = resident_kib(pid)
    clients = []
    for _ in range(count):
        clients.append(RawClient(uri))
        clients[-1].query_once()
    each = (resident_kib(pid) - before) / count
    for client in clients:
        client.socket.close()
    return (
        f"{count} connections, each logged in and after one query: {each:.1f} KiB of the process's resident"
        " memory for each."
    )


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        (line,) = [line for line in status if line.startswith("VmRSS")]
    return int(line.split()[1])


def string(text):
    data = text.encode()
    return b"\xd1" + struct.pack(">H", len(data)) + data


def run(query):
    return b"\xb3\x10" + string(query) + b"\xa0\xa0"


PULL_ALL = b"\xb1\x3f\xa1\x81n\xff"


class RawClient:
    """Just enough Bolt 5.4 to run a query and count what comes back."""

    def __init__(self, uri):
        host, port = uri.removeprefix("bolt://").split(":")
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(bytes.fromhex("6060b01700000405") + bytes(12))
        self.socket.recv(4)
        product = b"\xa1" + string("product") + string("results/1")
        self.send(b"\xb1\x01\xa2" + string("user_agent") + string("results/1") + string("bolt_agent") + product)
        self.socket.recv(4096)
        auth = {"scheme": "basic", "principal": "neo4j", "credentials": os.environ["NEO4J_PASSWORD"]}
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


main()
