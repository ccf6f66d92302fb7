"""Clients of a pooler that work, wait, wait in vain and let transactions rest, for two minutes at most. Runs with the
official driver; NEO4J_URI and NEO4J_PASSWORD name the pooler."""

import os
import threading
import time

from neo4j import GraphDatabase
from neo4j.exceptions import Neo4jError

SECONDS = 120
AIRFLOW = "airflow/3.3.2 (dag={}; run=manual; task={}; try=1) neo4j-python/6"
ends = time.monotonic() + SECONDS


def driver(user_agent):
    auth = ("neo4j", os.environ["NEO4J_PASSWORD"])
    return GraphDatabase.driver(os.environ["NEO4J_URI"], auth=auth, user_agent=user_agent)


def works(user_agent):
    with driver(user_agent) as own, own.session() as session:
        while time.monotonic() < ends:
            try:
                session.run("RETURN 1").consume()
            except Neo4jError:
                pass  # It has waited in vain.


def rests(user_agent):
    with driver(user_agent) as own, own.session() as session:
        while time.monotonic() < ends:
            try:
                with session.begin_transaction() as transaction:
                    transaction.run("RETURN 1").consume()
                    time.sleep(1.5)
            except Neo4jError:
                pass


def connects(user_agent):
    while time.monotonic() < ends:
        with driver(user_agent) as own:
            own.verify_connectivity()


tasks = [(rests, AIRFLOW.format("load", "extract")), (rests, AIRFLOW.format("load", "store"))]
tasks += [(works, AIRFLOW.format("report", "sum")), (works, "notebook/1.0"), (connects, "cron/2")]
threads = [threading.Thread(target=task, args=(name,), daemon=True) for task, name in tasks]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
