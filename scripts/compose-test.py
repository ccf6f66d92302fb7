"""The part of scripts/compose-test that talks to Airflow and Neo4j, both by their published ports.

    compose-test.py DAG TASKS      runs the DAG with so many tasks and prints one row of a table:
                                   DAG, tasks, opened, peak open, failed, seconds, hosts of the tasks
    compose-test.py --monitor      runs the monitor once and prints what it returned

What is counted is counted at the server, whose connection ids rise by one per connection: two marker
connections bracket the run. AIRFLOW_URL, AIRFLOW_USER, AIRFLOW_PASSWORD, NEO4J_URI, NEO4J_USER and
NEO4J_PASSWORD come from the environment, where `ps` does not show them.
"""

import ast
import base64
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

import neo4j

SAMPLER = "compose-test/sampler"
MARKER = "compose-test/marker-"
RUN_LIMIT_S = 300


def main():
    if sys.argv[1:] == ["--monitor"]:
        _, outcomes = run_dag("neo4j_connection_monitor", {})
        print(json.dumps(outcomes["xcom"]))
        return
    dag, tasks = sys.argv[1], int(sys.argv[2])
    with Counter() as counter:
        state, run = run_dag(dag, {"tasks": tasks})
        opened = counter.opened()
    calls = [task for task in run["tasks"] if task["task_id"] == "call_neo4j"]
    failed = sum(task["state"] != "success" for task in calls)
    if state != "success" or failed or len(calls) != tasks:
        states = sorted({f"{task['task_id']}: {task['state']}" for task in run["tasks"]})
        sys.exit(f"{dag} ended as {state} with {len(calls)} of {tasks} tasks: {', '.join(states)}")
    hosts = {task["hostname"] for task in calls}
    print(dag, tasks, opened, counter.peak, failed, round(run["seconds"], 1), len(hosts), sep="\t")


class Counter:
    """Counts the connections to Neo4j that are not its own."""

    def __init__(self):
        self.auth = (os.environ["NEO4J_USER"], os.environ["NEO4J_PASSWORD"])
        self.driver = self.connect(SAMPLER)
        self.peak = 0
        self.ended = threading.Event()
        self.sampling = threading.Thread(target=self.sample)

    def __enter__(self):
        self.session = self.driver.session()
        self.list()
        self.first = self.marker()
        self.sampling.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.sampling.join()
        self.session.close()
        self.driver.close()

    def opened(self):
        self.ended.set()
        self.sampling.join()
        return self.marker() - self.first - 1

    def sample(self):
        while not self.ended.wait(0.05):
            listed = self.list()
            self.peak = max(self.peak, sum(number > self.first for number in listed.values()))

    def marker(self):
        name = f"{MARKER}{uuid.uuid4()}"
        with self.connect(name) as driver, driver.session() as session:
            return self.list(session)[name]

    def list(self, session=None):
        """Numbers of connections, by user agent for those of this script, else by id."""
        query = "CALL dbms.listConnections() YIELD connectionId, userAgent"
        rows = (session or self.session).run(query).values()
        return {
            agent if agent and agent.startswith(MARKER) else name: int(name.removeprefix("bolt-"))
            for name, agent in rows
            if name.startswith("bolt-")  # Neo4j lists the Browser's as http-….
        }

    def connect(self, name):
        return neo4j.GraphDatabase.driver(os.environ["NEO4J_URI"], auth=self.auth, user_agent=name)


def run_dag(dag, conf):
    """Triggers the DAG and waits for its end; returns its state and what its tasks were."""
    await_dag(dag)
    api("PATCH", f"dags/{dag}", {"is_paused": False})
    started = time.monotonic()
    run = api("POST", f"dags/{dag}/dagRuns", {"conf": conf})["dag_run_id"]
    path = f"dags/{dag}/dagRuns/{urllib.request.quote(run)}"
    while (state := api("GET", path)["state"]) not in ("success", "failed"):
        if time.monotonic() - started > RUN_LIMIT_S:
            sys.exit(f"{dag} was still {state} after {RUN_LIMIT_S} s")
        time.sleep(0.5)
    seconds = time.monotonic() - started
    api("PATCH", f"dags/{dag}", {"is_paused": True})
    tasks = api("GET", f"{path}/taskInstances?limit=1000")["task_instances"]
    outcomes = {"tasks": tasks, "seconds": seconds}
    if not conf:
        value = api("GET", f"{path}/taskInstances/count_connections/xcomEntries/return_value")["value"]
        outcomes["xcom"] = value_of(value)
    return state, outcomes


def value_of(value):
    """Airflow 2.8 shows an XCom as Python would print it."""
    return ast.literal_eval(value) if isinstance(value, str) else value


def await_dag(dag):
    deadline = time.monotonic() + 120
    while True:
        try:
            return api("GET", f"dags/{dag}")
        except urllib.error.HTTPError as error:
            if error.code != 404 or time.monotonic() > deadline:
                raise
        time.sleep(1)


def api(method, path, body=None):
    secret = f"{os.environ['AIRFLOW_USER']}:{os.environ['AIRFLOW_PASSWORD']}"
    request = urllib.request.Request(
        f"{os.environ['AIRFLOW_URL']}/api/v1/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": "Basic " + base64.b64encode(secret.encode()).decode(),
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


if __name__ == "__main__":
    main()
