"""A task process of `boltbouncer lab` with Neo4j's own Python driver.

It reads its job (a line of JSON) from standard input, logs to standard error and writes its
outcome (a line of JSON) to standard output. When standard input closes, the lab is gone and so
is this process.
"""

import atexit
import datetime
import json
import os
import sys
import threading
import time

ALIAS = "root"


def log(message):
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    print(f"[{now}] {message}", file=sys.stderr, flush=True)


def end_with_the_lab():
    def wait_for_the_end():
        while sys.stdin.buffer.read(1):
            pass
        os._exit(70)

    threading.Thread(target=wait_for_the_end, daemon=True).start()


class ProblematicDatabaseConnection:
    """A new driver for each call, kept and never closed."""

    def __init__(self, make_driver):
        self.make_driver = make_driver
        self.drivers = []
        self.created = 0

    def driver(self, alias):
        log(f"🍌 DEBUG: about to create NEW driver for alias '{alias}' (THIS IS THE PROBLEM!)🍌🍌🍌")
        driver = self.make_driver()
        self.created += 1
        self.drivers.append(driver)
        driver.verify_connectivity()
        log(f"🍌 Problematic: created new driver for alias '{alias}'")
        return driver


class ImprovedDatabaseConnection:
    """One driver for each alias and process: checked before reuse, never taken across a fork."""

    def __init__(self, make_driver):
        self.make_driver = make_driver
        self.drivers = {}
        self.created = 0
        self.pid = os.getpid()
        atexit.register(self.close)

    def driver(self, alias):
        if self.pid != os.getpid():
            # The parent's sockets are not ours: forget its drivers without touching them.
            self.drivers, self.pid = {}, os.getpid()
        driver = self.drivers.get(alias)
        if driver is not None:
            try:
                driver.verify_connectivity()
                log(f"🍌 Improved: reusing existing sync driver for {alias}")
                return driver
            except Exception as error:
                log(f"🍌 Improved: the driver for {alias} failed its check ({type(error).__name__})")
                driver.close()
        driver = self.make_driver(
            max_connection_pool_size=5,
            connection_acquisition_timeout=30,
            max_connection_lifetime=50 * 60,
        )
        self.created += 1
        self.drivers[alias] = driver
        driver.verify_connectivity()
        log(f"🍌 Improved: created the one driver for {alias}")
        return driver

    def close(self):
        if self.pid == os.getpid():
            for driver in self.drivers.values():
                driver.close()
            self.drivers = {}


def main():
    job = json.loads(sys.stdin.buffer.readline())
    end_with_the_lab()
    import neo4j

    def make_driver(**settings):
        return neo4j.GraphDatabase.driver(
            job["uri"],
            auth=(job["user"], job["password"]),
            user_agent=job["user_agent"],
            **settings,
        )

    improved = job["pattern"] == "improved"
    connections = (ImprovedDatabaseConnection if improved else ProblematicDatabaseConnection)(make_driver)
    outcome = {"first_answer_ms": None, "connecting_ms": 0.0, "query_ms": [], "failures": {}}
    try:
        for _ in range(job["calls"]):
            call(job, connections, outcome)
            time.sleep(job["hold_ms"] / 1000)
    except Exception as error:
        code = getattr(error, "code", None) or type(error).__name__
        log(f"ERROR - task {job['task']} failed: {code}: {error}")
        outcome["failures"][code] = 1
    outcome["drivers_created"] = connections.created
    print(json.dumps(outcome), flush=True)
    if improved:
        connections.close()
    # Like a task that is done: drivers that were not closed are simply gone.
    os._exit(1 if outcome["failures"] else 0)


def call(job, connections, outcome):
    began = time.perf_counter()
    driver = connections.driver(ALIAS)
    connecting_ms = (time.perf_counter() - began) * 1000
    began = time.perf_counter()
    with driver.session(database=job["database"]) as session:
        session.run(job["query"]).consume()
    outcome["query_ms"].append((time.perf_counter() - began) * 1000)
    if outcome["first_answer_ms"] is None:
        outcome["first_answer_ms"] = (time.time_ns() - job["started_ns"]) / 1e6
        outcome["connecting_ms"] = connecting_ms


if __name__ == "__main__":
    main()
