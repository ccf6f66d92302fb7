"""The sandbox's speed beside Neo4j's, and what idle connections take of memory.

Speed is compared in interleaved rounds of one run, so that whatever else the machine does hits
all alike. Nothing here is a target; what was measured is what is written.
"""

import resource
import statistics
import time

from neo4j import GraphDatabase

from .documents import spread
from .programs import PASSWORD
from .raw_bolt import PULL_ALL, RawClient, run

ROUNDS = 10
QUERIES = 300
RECORDS = 1_000_000


def table(uris):
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
    lines = [
        "| | Neo4j | sandbox | sandbox / Neo4j |",
        "|---|---:|---:|---:|",
        row("`RETURN 1`, p50", latencies, "{:.2f} ms", "{:.2f}"),
        row("records streamed per second", rates, "{:.2f} M", "{:.1f}"),
    ]
    return "\n".join(lines)


def row(title, measured, form, ratio_form):
    ratios = [a / b for a, b in zip(measured["sandbox"], measured["Neo4j"])]
    return (
        f"| {title} | {spread(measured['Neo4j'], form)} | {spread(measured['sandbox'], form)}"
        f" | {spread(ratios, ratio_form)} |"
    )


def driver(uri):
    return GraphDatabase.driver(uri, auth=("neo4j", PASSWORD))


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


def idle_memory(program, count):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with RawClient(program.uri) as warm_up:
        warm_up.query_once()
    before = resident_kib(program.pid)
    clients = []
    for _ in range(count):
        clients.append(RawClient(program.uri))
        clients[-1].query_once()
    each = (resident_kib(program.pid) - before) / count
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
