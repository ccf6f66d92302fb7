"""The command scripts/cross-talk: a million queries that must not be mixed up, under every disturbance."""

import argparse
import json
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import cross_talk_page, documents
from .poolers import Pooler, certificate
from .programs import NEO4J_VERSIONS, PASSWORD, ROOT, Programs, boltbouncer, run, said, step

QUERIES, QUICK = 1_000_000, 20_000
USERS = "neo4j,amy,bob"
CUT_MS = 200
# Every limit that can end something is short enough to do so.
LIMITS = {
    "max_connection_pool_size": 4,
    "max_parked_connections": 1,
    "max_upstream_connections": 10,
    "connection_acquisition_timeout": 0.25,
    "connection_timeout": 5,
    "max_connection_lifetime": 5,
    "max_idle_time": 1,
    "liveness_check_timeout": 0.05,
    "dns_interval": 1,
    "client_idle_timeout": 2,
    "client_login_timeout": 10,
    "client_write_timeout": 5,
    "keep_alive_interval": 0.5,
    "idle_in_transaction_timeout": 0.3,
    "transaction_timeout": 0.8,
    "auth_cache_ttl": 5,
    "shutdown_timeout": 5,
}
REST_MS = 600
# Who rests in a transaction for longer than that is parked, and rolled back while others wait in vain.
CONTENDED = {"contended_idle_timeout": 0.2, "idle_in_transaction_timeout": 0, "transaction_timeout": 4}
CONTENDED_REST_MS = 1500


@dataclass(frozen=True)
class Leg:
    name: str
    title: str
    share: float
    bolt: str
    has_tls: bool = False
    neo4j: str = ""
    is_contended: bool = False

    @property
    def limits(self):
        return {**LIMITS, **(CONTENDED if self.is_contended else {})}

    @property
    def rest_ms(self):
        return CONTENDED_REST_MS if self.is_contended else REST_MS

    @property
    def clients(self):
        """So many that some wait in vain, which a slower server brings about sooner."""
        return 50 if self.neo4j else 150

    @property
    def kill_every(self):
        """How many queries are answered between two kills; Neo4j answers a killed COMMIT in more than one way."""
        return 50 if self.neo4j else 250


LEGS = (
    Leg("plain", "sandbox", 0.4, "4.4,5.8,6.0"),
    Leg("tls", "sandbox, TLS to the pooler", 0.4, "4.4,5.8,6.0", has_tls=True, is_contended=True),
    Leg("neo4j", f"Neo4j {NEO4J_VERSIONS[0]}, TLS on both sides", 0.1, "4.4,5.8", True, NEO4J_VERSIONS[0]),
    Leg("newest", f"Neo4j {NEO4J_VERSIONS[1]}", 0.1, "4.4,5.8,6.0,6.1", neo4j=NEO4J_VERSIONS[1], is_contended=True),
)


def main(head):
    chosen = options(head)
    binary, client = boltbouncer(), build_client()
    legs = [leg for leg in LEGS if leg.name in chosen.legs]
    whole = sum(leg.share for leg in legs)
    outcomes = []
    for leg in legs:
        queries = round((QUICK if chosen.quick else QUERIES) * leg.share / whole)
        step(f"{leg.title}: {queries:,} queries")
        with Programs() as programs:
            outcomes.append((leg, Campaign(programs, binary, client, leg, chosen.seed).run(queries)))
    text = cross_talk_page.document(outcomes, chosen, said(binary, "--version"))
    print(text)
    if not chosen.quick:
        documents.write("cross-talk.md", text)
    sys.exit(any(cross_talk_page.problems(outcome) for _, outcome in outcomes))


def options(head):
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="scripts/cross-talk", description=head, formatter_class=form)
    names = [leg.name for leg in LEGS]
    parser.add_argument("legs", metavar="LEG", nargs="*")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    chosen = parser.parse_args()
    if strange := [leg for leg in chosen.legs if leg not in names]:
        parser.error(f"no leg {strange[0]}; there are {' '.join(names)}")
    chosen.legs = chosen.legs or names
    return chosen


def build_client():
    run("cargo", "build", "--release", "--locked", "-p", "client", "--example", "cross_talk")
    return Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "release/examples/cross_talk"


class Campaign:
    """One leg: a server, a relay that cuts, a pooler, and the clients."""

    def __init__(self, programs, binary, client, leg, seed):
        self.programs, self.binary, self.client, self.leg, self.seed = programs, binary, client, leg, seed

    def run(self, queries):
        with self.server() as server:
            relay = self.programs.start("relay", self.client, "relay", "--to", server, "--cut-ms", f"{CUT_MS}")
            pooler = self.pooler(relay.uri.replace("bolt", server.partition(":")[0], 1))
            outcome = self.load(pooler, server, queries)
            outcome["pools"] = pooler.when_quiet()
            outcome["limits"] = pooler.errors()
            outcome["exit_code"] = pooler.drain()
            return outcome

    @contextmanager
    def server(self):
        if self.leg.neo4j:
            with self.programs.neo4j(self.leg.neo4j, *(["--tls"] if self.leg.has_tls else [])) as neo4j:
                yield neo4j.uri
        else:
            words = ["--listen", "127.0.0.1:0", "--no-auth", "--transaction-memory-mb", "4096"]
            yield self.programs.start("sandbox", self.binary, "sandbox", *words).uri

    def pooler(self, upstream):
        tls = certificate(self.programs.folder) if self.leg.has_tls else ""
        return Pooler(self.programs, self.binary, upstream, self.leg.limits, tls=tls)

    def load(self, pooler, server, queries):
        scheme = "bolt+ssc" if self.leg.has_tls else "bolt"
        words = ["--pooler", f"{scheme}://{pooler.uri.partition('://')[2]}", "--server", server]
        words += ["--user", USERS, "--bolt", self.leg.bolt, "--clients", f"{self.leg.clients}"]
        words += ["--queries", f"{queries}", "--rest-ms", f"{self.leg.rest_ms}", "--seed", f"{self.seed}"]
        words += ["--kill-every", f"{self.leg.kill_every}"]
        words += ["--create-users"] if self.leg.neo4j else []
        environment = dict(os.environ, CROSS_TALK_PASSWORD=PASSWORD)
        return json.loads(said(self.client, "load", *words, env=environment))
