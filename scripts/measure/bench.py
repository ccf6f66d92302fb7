"""The command scripts/bench: servers direct, through HAProxy and through the pooler, in interleaved rounds.

With --against the pooler of another binary is one more target of the same rounds, called `before`.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from . import before_after, documents, performance
from .bench_ways import Ways, without
from .programs import PASSWORD, ROOT, Programs, boltbouncer, python_with_driver, run, step


@dataclass(frozen=True)
class Pace:
    """How long a workload is measured, in seconds, and in how many rounds."""

    seconds: float = 10
    rounds: int = 10
    warm_up: float = 3

    def options(self):
        return ["--duration-s", f"{self.seconds:g}", "--rounds", f"{self.rounds}", "--warm-up-s", f"{self.warm_up:g}"]


QUICK = Pace(seconds=1, rounds=2, warm_up=0.1)


def main(head):
    chosen = options(head)
    if shutil.which("haproxy") is None:
        sys.exit("scripts/bench: install haproxy first")
    binary = boltbouncer()
    with Programs() as programs:
        folder = ROOT / ("target/bench-against" if chosen.against else "target/bench")
        folder = programs.folder / "results" if chosen.quick else folder
        folder.mkdir(parents=True, exist_ok=True)
        with programs.neo4j() as neo4j:
            bench = Bench(Ways(programs, neo4j, binary, chosen.against), binary, folder, chosen.quick)
            if {"on_neo4j", "stream", "many_clients", "growth"} & set(chosen.parts):
                bench.warm_up()
            for part in chosen.parts:
                getattr(bench, part)()
        write(folder, chosen)


def options(head):
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=head, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", metavar="PART", nargs="*")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--against", metavar="PATH", type=Path)
    chosen = parser.parse_args()
    if strange := [part for part in chosen.parts if part not in PARTS]:
        parser.error(f"no part {strange[0]}; there are {' '.join(PARTS)}")
    if chosen.against is not None and not os.access(chosen.against, os.X_OK):
        parser.error(f"{chosen.against} is no program")
    chosen.against = chosen.against and chosen.against.resolve()
    chosen.parts = chosen.parts or list(PARTS)
    return chosen


def write(folder, chosen):
    if chosen.against:
        name, text = "before-after.md", before_after.document(folder)
    elif chosen.quick and chosen.parts != list(PARTS):
        return
    else:
        name, text = "performance.md", performance.document(folder)
    if chosen.quick:
        print(text)
        return
    documents.write(name, text)
    if not chosen.against:
        shutil.copy(folder / "neo4j.html", documents.RESULTS / "performance.html")


class Bench:
    """What is measured, and the parts of the measurement."""

    def __init__(self, ways, binary, folder, is_quick):
        self.ways, self.binary, self.folder, self.is_quick = ways, binary, folder, is_quick
        self.on_neo4j_targets = ways.all("neo4j", ways.neo4j)
        self.on_sandbox_targets = ways.all("sandbox", ways.sandbox)

    def warm_up(self):
        step("Neo4j warms up")
        pace = Pace(seconds=20, rounds=2)
        self.bench("warm-up", pace, self.on_neo4j_targets, "--workload", "query,tx,write,reconnect")

    def on_neo4j(self):
        step("Neo4j, one client")
        self.bench(
            "neo4j",
            Pace(),
            self.on_neo4j_targets,
            *("--workload", "query,tx,write,reconnect,mixed"),
            *("--check", "query.p50 pooled/haproxy <= 1.0"),
            *("--check", "query.p50 pooled/direct <= 1.15"),
            *("--check", "query.p99 pooled/haproxy <= 1.0"),
            *("--check", "reconnect.p50 pooled/direct <= 0.6"),
        )

    def stream(self):
        step("Neo4j, a million records")
        self.bench(
            "stream",
            # One takes two seconds; a round has one or two of them.
            Pace(seconds=40, rounds=20),
            self.on_neo4j_targets,
            *("--workload", "stream"),
            *("--check", "stream.throughput pooled/direct >= 0.97"),
            *("--check", "stream.cpu pooled/haproxy <= 2"),
        )

    def far_away(self):
        step("Neo4j, 20 ms away")
        targets = {"direct": self.ways.link, **self.ways.poolers("link", self.ways.link)}
        checks = ["--check", "reconnect.p50 pooled/direct <= 0.40"]
        self.bench("far", Pace(), targets, "--workload", "reconnect", *checks, with_pids=[])

    def many_clients(self):
        step("Neo4j, 1,000 clients")
        self.bench(
            "clients-1000",
            Pace(seconds=25, rounds=5),
            without(self.on_neo4j_targets, "haproxy"),
            *("--clients", "1000", "--timeout", "10"),
            *("--check", "query.throughput pooled/direct >= 1.0"),
            *("--check", "query.errors pooled <= 0"),
        )

    def on_the_sandbox(self):
        step("sandbox, one client")
        self.bench(
            "sandbox",
            Pace(),
            self.on_sandbox_targets,
            *("--workload", "query,tx,write,reconnect"),
            *("--check", "query.p50 direct <= 60us"),
            *("--check", "query.p50 pooled/haproxy <= 1.0"),
        )

    def saturated(self):
        step("sandbox, 5,000 clients")
        targets = without(self.on_sandbox_targets, "haproxy")
        if "before" in targets:
            # Three times as many clients are more files than many systems let one process open.
            targets = without(targets, "direct")
        self.bench(
            "clients-5000",
            # Half a second is a few turns of the queue: within that the machine hardly changes its pace.
            Pace(seconds=15, rounds=30),
            targets,
            *("--clients", "5000", "--settle-s", "0.5"),
            *("--check", "query.p99/p50 pooled <= 1.1"),
            *("--check", "query.errors pooled <= 0"),
        )

    def growth(self):
        """What a query costs as clients and users grow."""
        # Memory that was freed is not always given back, so these have had no other clients yet.
        targets = self.ways.poolers("growing", self.ways.sandbox)
        if "before" not in targets:
            # Two targets are the least; both are the pooler, each with half of the clients.
            targets["again"] = targets["pooled"]
        for count in performance.IDLE:
            step(f"sandbox, {count} clients that are connected, one that works")
            each = ["--idle-clients", str(count // 2)]
            self.bench(f"idle-{count}", Pace(), targets, *each, with_pids=["before", "pooled"])
        self.make_users()
        targets = without(self.on_neo4j_targets, "haproxy")
        for count in performance.USERS:
            step(f"Neo4j, 100 clients of {count} users")
            users = ["--clients", "100", "--user", "bench", "--users", str(count)]
            self.bench(f"users-{count}", Pace(), targets, *users, with_pids=["before", "pooled"])

    def make_users(self):
        program = "; ".join(
            [
                "import sys, neo4j",
                "uri, password, count = sys.argv[1], sys.argv[2], int(sys.argv[3])",
                "driver = neo4j.GraphDatabase.driver(uri, auth=('neo4j', password))",
                "make = 'CREATE USER bench{} IF NOT EXISTS SET PASSWORD $password CHANGE NOT REQUIRED'",
                "ask = lambda n: driver.execute_query(make.format(n), password=password, database_='system')",
                "list(map(ask, range(1, count + 1)))",
                "driver.close()",
            ]
        )
        run(python_with_driver(), "-c", program, self.ways.neo4j.uri, PASSWORD, str(max(performance.USERS)))

    def bench(self, name, pace, targets, *words, with_pids=None):
        pace = QUICK if self.is_quick else pace
        named = [option for target, at in targets.items() for option in ("--target", f"{target}={at.uri}")]
        measured = targets if with_pids is None else [target for target in targets if target in with_pids]
        named += [option for target in measured for option in ("--pid", f"{target}={targets[target].pid}")]
        words = [*pace.options(), *named, *words]
        endings = {"command": "command", "json": "json", "markdown": "md", "html": "html"}
        file = {kind: self.folder / f"{name}.{ending}" for kind, ending in endings.items()}
        shown = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:…", " ".join(words))
        file["command"].write_text(f"boltbouncer bench {re.sub(r'(--pid [a-z]+=)[0-9]+', chr(92) + '1…', shown)}\n")
        file["json"].unlink(missing_ok=True)
        kept = [option for kind in ("json", "markdown", "html") for option in (f"--{kind}", file[kind])]
        environment = dict(os.environ, NEO4J_PASSWORD=PASSWORD)
        done = subprocess.run([self.binary, "bench", "--yes", *words, *kept], env=environment)
        # A check that does not hold is a result.
        if done.returncode and not file["json"].exists():
            sys.exit(f"scripts/bench: {name} could not be measured")


PARTS = ("on_neo4j", "stream", "far_away", "many_clients", "on_the_sandbox", "saturated", "growth")
