"""What scripts/vanished has done by Neo4j's driver, in a process that can be lost. A program by itself:

  caller.py ask URI QUERY   one driver, one query; prints `answered SECONDS RECORDS` or `failed SECONDS ERROR`
  caller.py hold URI N      N transactions stay open once it has printed `ready`
  caller.py rest URI N      N connections are logged in and do nothing once it has printed `ready`
"""

import os
import sys
import time

from neo4j import GraphDatabase


def ask(uri, query):
    began = time.monotonic()
    try:
        with driver(uri) as opened, opened.session() as session:
            outcome, words = "answered", len(list(session.run(query)))
    except Exception as error:
        outcome, words = "failed", f"{type(error).__name__}: {str(error)[:200]}"
    print(f"{outcome} {time.monotonic() - began:.1f} {words}", flush=True)


def hold(uri, count):
    opened = driver(uri)
    transactions = [opened.session().begin_transaction() for _ in range(int(count))]
    for transaction in transactions:
        transaction.run("RETURN 1").consume()
    stay(opened, transactions)


def rest(uri, count):
    drivers = [driver(uri) for _ in range(int(count))]
    for opened in drivers:
        opened.verify_connectivity()
    stay(drivers)


def stay(*_):
    print("ready", flush=True)
    time.sleep(600)


def driver(uri):
    return GraphDatabase.driver(uri, auth=("neo4j", os.environ["CALLER_PASSWORD"]), connection_timeout=10)


if __name__ == "__main__":
    {"ask": ask, "hold": hold, "rest": rest}[sys.argv[1]](*sys.argv[2:])
