"""The command scripts/results-airflow: the lab on real Airflow, by version and executor."""

import argparse
import json
import os
import shutil

from . import documents
from .programs import PASSWORD, ROOT, Programs, boltbouncer, run

RUNS = [("2.8.1", "local"), ("3.3.2", "local"), ("2.8.1", "celery")]
WORKERS = ("worker-1", "worker-2")
CELERY = "CeleryExecutor"
# The stress DAG is half as many tasks with twice the calls, under an executor of this machine alone.
STRESS = "problematic,improved,hook,pooled,stress"


def main(head):
    form = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=head, formatter_class=form).parse_args()
    binary = boltbouncer()
    with Programs() as programs, programs.neo4j() as neo4j:
        folders = [lab(programs, binary, neo4j.uri, *which) for which in RUNS]
        for chart in ("idle-connections", "opened-closed"):
            shutil.copy(folders[0] / f"{chart}.png", ROOT / f"docs/images/airflow-{chart}.png")
        runs = [json.loads((folder / "results.json").read_text()) for folder in folders]
        runs.sort(key=lambda run: (run["airflow"]["executor"] == CELERY, run["airflow"]["version"]))
        documents.write("airflow.md", document(runs, tasks_by_worker(folders[-1])))


def lab(programs, binary, uri, version, executor):
    """Runs the lab, and returns the folder of what it left."""
    out = programs.folder / f"lab-{version}-{executor}"
    words = ["--engine", "airflow", "--airflow-version", version, "--executor", executor, "--uri", uri, "--yes"]
    if executor == "local":
        words += ["--pattern", STRESS]
    environment = dict(os.environ, NEO4J_PASSWORD=PASSWORD)
    run(binary, "lab", *words, "--tasks", "100", "--calls", "3", "--out", out, env=environment)
    (folder,) = out.iterdir()
    return folder


def tasks_by_worker(folder):
    logs = [folder / f"airflow/logs/{worker}.log" for worker in WORKERS]
    return [sum("succeeded" in line for line in log.open(errors="replace")) for log in logs]


def document(runs, workers):
    settings, target = runs[0]["settings"], runs[0]["target"]
    rows = "\n".join(row(run, pattern) for run in runs for pattern in run["patterns"])
    return f"""# Measured on real Airflow

Made by `scripts/results-airflow` on {documents.today()}; {documents.machine()}. Each run:
`boltbouncer lab --engine airflow --tasks {settings['tasks']} --calls {settings['calls']}`, LocalExecutor or
CeleryExecutor with {settings['parallelism']} tasks at once, on {target['agent']}; {settings['hold_ms']} ms of other work after each
call, query `{settings['query']}`, a pool of {settings['pool_size']} for *pooled*. Connections were counted at the server, by
`dbms.listConnections` and its connection ids. The machine is shared: times vary from run to run, counts do
not; the peaks depend on how many tasks the scheduler gets to run at once.

| Airflow | pattern | opened | peak open | peak idle | tasks failed | tasks at once | task p50 | duration |
|---|---|---:|---:|---:|---:|---:|---:|---:|
{rows}

{notes(runs, workers)}
"""


def row(run, pattern):
    airflow, connections, dag = run["airflow"], pattern["connections"], pattern["airflow"]
    name = f"{airflow['version']}, {airflow['executor']}, {airflow['database']}"
    return (
        f"| {name} | {pattern['name']} | {connections['opened']} | {connections['peak_open']} | {connections['peak_idle']} "
        f"| {pattern['tasks']['failed']} | {dag['peak_running']} | {pattern['task_s']['p50']:.1f} s | {pattern['wall_s']:.0f} s |"
    )


def notes(runs, workers):
    drivers = {run["airflow"]["version"]: run["settings"]["driver"] for run in runs}
    named = ", ".join(f"{driver} on {version}" for version, driver in sorted(drivers.items()))
    celery = next(run for run in runs if run["airflow"]["executor"] == CELERY)
    calls = runs[0]["settings"]["calls"]
    average = (calls + 1) / 2
    local = [run for run in runs if run["airflow"]["executor"] != CELERY]
    seen = ";\n".join(f"on {run['airflow']['version']}, {by_task(run)}" for run in local)
    took = sum(sum(pattern["airflow"]["task_states"].values()) for pattern in celery["patterns"])
    return f"""*Duration* is from the first task's start to the last one's end. *Hook* is the official provider's `Neo4jHook`,
one for each call. *Stress* is half as many tasks as the others, each with twice the calls. Drivers:
{named}.

How much *improved* saves at the peak. A task of *problematic* holds one connection more after each of its calls, up to
as many as it has calls. With {calls} calls, a task that has made all of them holds {calls}, and one driver for each process
saves {1 - 1 / calls:.0%} of that. If tasks are spread evenly over their calls, they hold {average:.0f} on average, which makes {1 - 1 / average:.0%}.
What comes on top of it is that a task which starts up, or has ended its work, holds nothing, and with *improved* there
are more of these at the peak. Seen here:
{seen}.

With Celery, two workers took {workers[0]} and {workers[1]} tasks ({took} tasks that called Neo4j, and one planning
task for each of the {len(celery['patterns'])} patterns). The pool's limit held across both workers.

The charts of the run on Airflow 2.8.1 with LocalExecutor:

![Idle connections](../images/airflow-idle-connections.png)

![Connections opened and closed](../images/airflow-opened-closed.png)"""


def by_task(run):
    """How many connections a task held at the peak, for two patterns."""
    peaks = {pattern["name"]: pattern for pattern in run["patterns"]}

    def held(name):
        pattern = peaks[name]
        open_, tasks = pattern["connections"]["peak_open"], pattern["airflow"]["peak_running"]
        return f"{tasks} tasks of *{name}* held {open_}, {open_ / tasks:.1f} each"

    saved = 1 - peaks["improved"]["connections"]["peak_open"] / peaks["problematic"]["connections"]["peak_open"]
    return f"{held('problematic')}, and {held('improved')}: {saved:.0%} less"
