"""A task process of `boltbouncer lab` with Neo4j's own Python driver and the Airflow kit's classes.

It reads its job (a line of JSON) from standard input, logs to standard error and writes its
outcome (a line of JSON) to standard output. When standard input closes, the lab is gone and so
is this process. How drivers are made and kept is decided in neo4j_connections.py alone.
"""

import json
import logging
import os
import sys
import threading
import time
from dataclasses import dataclass

# The lab writes that module beside this file, and nothing else belongs into the folder of its logs.
sys.dont_write_bytecode = True
import neo4j_connections as connections  # noqa: E402

log = logging.getLogger("task")


@dataclass(frozen=True)
class Identity:
    """What the lab wants a task's drivers to be called, by which it finds them at the server."""

    user_agent: str
    task: int

    @property
    def metadata(self):
        return {"app": "boltbouncer-lab", "task": self.task}


def main():
    job = json.loads(sys.stdin.buffer.readline())
    end_with_the_lab()
    log_to_standard_error()
    outcome = {"first_answer_ms": None, "connecting_ms": [], "query_ms": [], "failures": {}}
    with connections_of(job) as database:
        try:
            for _ in range(job["calls"]):
                call(job, database, outcome)
                time.sleep(job["hold_ms"] / 1000)
        except Exception as error:
            code = getattr(error, "code", None) or type(error).__name__
            log.error("ERROR - task %s failed: %s: %s", job["task"], code, error)
            outcome["failures"][code] = 1
        outcome["drivers_created"] = database.created
        print(json.dumps(outcome), flush=True)
    # Like a task that is done: drivers that were not closed are simply gone.
    os._exit(1 if outcome["failures"] else 0)


def end_with_the_lab():
    def wait_for_the_end():
        while sys.stdin.buffer.read(1):
            pass
        os._exit(70)

    threading.Thread(target=wait_for_the_end, daemon=True).start()


def log_to_standard_error():
    form = logging.Formatter("[%(asctime)s.%(msecs)03dZ] %(message)s", "%Y-%m-%dT%H:%M:%S")
    form.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(form)
    logging.getLogger().addHandler(handler)
    # The driver's own loggers stay at the default, which is to say warnings only.
    connections.log.setLevel(logging.INFO)


def connections_of(job):
    # Imported here, or the first connection would seem to take its time.
    connections.package("neo4j")
    kind = connections.ProblematicDatabaseConnection
    if job["pattern"] == "improved":
        kind = connections.ImprovedDatabaseConnection
    settings = connections.Settings(job["uri"], job["user"], job["password"], job["database"])
    return kind(settings, Identity(job["user_agent"], job["task"]))


def call(job, database, outcome):
    began = time.perf_counter()
    try:
        driver = database.driver()
    finally:
        outcome["connecting_ms"].append((time.perf_counter() - began) * 1000)
    began = time.perf_counter()
    database.run(driver, job["query"])
    outcome["query_ms"].append((time.perf_counter() - began) * 1000)
    if outcome["first_answer_ms"] is None:
        outcome["first_answer_ms"] = (time.time_ns() - job["started_ns"]) / 1e6


if __name__ == "__main__":
    main()
