"""The DAGs: the patterns, which `boltbouncer lab --airflow-url` runs and counts, and the monitor."""

import ast
import base64
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from ..programs import ROOT, fail, run, step

PATTERNS = ("problematic", "improved", "hook", "pooled")
CALLS = 3
HOLD_MS = 200
RUN_MAX_S = 300


class Dags:
    """The DAGs of the Airflow that is up, by its published port, and the Neo4j that its tasks use, by its own."""

    def __init__(self, setup, binary, folder):
        self.setup, self.binary, self.folder = setup, binary, folder
        self.url = f"http://127.0.0.1:{setup.value('AIRFLOW_PORT')}"
        self.neo4j = f"bolt://127.0.0.1:{setup.value('NEO4J_BOLT_PORT')}"
        self.user = setup.value("_AIRFLOW_WWW_USER_USERNAME")
        self.password = setup.value("_AIRFLOW_WWW_USER_PASSWORD")

    def patterns(self, executor, tasks):
        """Runs all patterns, and returns a row for each: what the lab found, and how many hosts ran tasks."""
        for pattern in PATTERNS:
            self.await_dag(f"neo4j_{pattern}_pattern")
            self.api("PATCH", f"dags/neo4j_{pattern}_pattern", {"is_paused": False})
        step(f"{executor}: {', '.join(PATTERNS)}, {tasks} tasks each")
        results = self.lab(executor, tasks)
        return [self.row(executor, pattern) for pattern in results["patterns"]]

    def lab(self, executor, tasks):
        out = self.folder / f"lab-{executor}"
        # Passwords go where `ps` does not show them.
        secrets = {"AIRFLOW_PASSWORD": self.password, "NEO4J_PASSWORD": self.setup.value("NEO4J_PASSWORD")}
        words = ["--engine", "airflow", "--airflow-url", self.url, "--airflow-user", self.user]
        words += ["--uri", self.neo4j, "--yes", "--pattern", ",".join(PATTERNS), "--out", out]
        words += ["--tasks", str(tasks), "--calls", str(CALLS), "--hold-ms", str(HOLD_MS)]
        run(self.binary, "lab", *words, "--fail-on-task-failure", env=dict(os.environ, **secrets))
        (results,) = out.glob("*/results.json")
        return json.loads(results.read_text())

    def row(self, executor, pattern):
        dag, run_id = pattern["airflow"]["dag_id"], pattern["airflow"]["run_id"]
        tasks = self.api("GET", f"{path_of(dag, run_id)}/taskInstances?limit=100")["task_instances"]
        hosts = {task["hostname"] for task in tasks if task["task_id"] == "call_neo4j"}
        return {
            "executor": executor,
            "pattern": pattern["name"],
            "dag": dag,
            "opened": pattern["connections"]["opened"],
            "peak_open": pattern["connections"]["peak_open"],
            "succeeded": pattern["tasks"]["succeeded"],
            "failed": pattern["tasks"]["failed"],
            "seconds": pattern["wall_s"],
            "hosts": len(hosts),
        }

    def monitor(self):
        """Runs the monitor once, and checks that it got answers from Neo4j and from the pooler."""
        dag = "neo4j_connection_monitor"
        step(dag)
        self.await_dag(dag)
        self.api("PATCH", f"dags/{dag}", {"is_paused": False})
        run_id = self.api("POST", f"dags/{dag}/dagRuns", {"conf": {}})["dag_run_id"]
        path, deadline = path_of(dag, run_id), time.monotonic() + RUN_MAX_S
        while (state := self.api("GET", path)["state"]) not in ("success", "failed"):
            if time.monotonic() > deadline:
                fail(f"{dag} was still {state} after {RUN_MAX_S} s")
            time.sleep(0.5)
        self.api("PATCH", f"dags/{dag}", {"is_paused": True})
        entry = "taskInstances/count_connections/xcomEntries/return_value"
        # Airflow 2.8 shows an XCom as Python would print it.
        report = ast.literal_eval(self.api("GET", f"{path}/{entry}")["value"])
        print(json.dumps(report), file=sys.stderr)
        if not (report["server"] and report["pooler"]) or report["errors"]:
            fail("the monitor did not get an answer of both, Neo4j and the pooler")

    def await_dag(self, dag):
        deadline = time.monotonic() + 120
        while True:
            try:
                return self.api("GET", f"dags/{dag}")
            except urllib.error.HTTPError as error:
                if error.code != 404 or time.monotonic() > deadline:
                    raise
            time.sleep(1)

    def api(self, method, path, body=None):
        secret = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Basic {secret}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def path_of(dag, run_id):
    return f"dags/{dag}/dagRuns/{urllib.parse.quote(run_id, safe='')}"


def check(rows, tasks):
    """That every pattern opened what it should."""
    for row in rows:
        name, opened, limit = row["pattern"], row["opened"], pool_size()
        if row["succeeded"] != tasks:
            fail(f"{name}: {row['succeeded']} of {tasks} tasks succeeded")
        if name == "problematic" and opened != CALLS * tasks:
            fail(f"{name} opened {opened} connections, not {CALLS} for each of {tasks} tasks")
        if name == "improved" and opened != tasks:
            fail(f"{name} opened {opened} connections, not one for each of {tasks} tasks")
        # Others may be opened in the stead of those that rest for a second, and one checks the password.
        if name == "pooled" and opened > 2 * limit + 1:
            fail(f"{name} opened {opened} connections, more than {limit}, as many parked, and one to check the password")
        if row["executor"] == "CeleryExecutor" and row["hosts"] != 2:
            fail(f"{row['hosts']} of the two workers took tasks")


def pool_size():
    settings = (ROOT / "deploy/pooler/boltbouncer.toml").read_text()
    return int(re.search(r"^max_connection_pool_size = (\d+)", settings, re.MULTILINE).group(1))
