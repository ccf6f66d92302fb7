"""Writes docs/results/airflow.md from runs of `boltbouncer lab --engine airflow`."""

import argparse
import datetime
import json
import os
import platform

CELERY = "CeleryExecutor"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="+")
    parser.add_argument("--workers", nargs=2, type=int, required=True, help="tasks that each Celery worker took")
    arguments = parser.parse_args()
    runs = []
    for path in arguments.results:
        with open(path, encoding="utf-8") as file:
            runs.append(json.load(file))
    runs.sort(key=lambda run: (run["airflow"]["executor"] == CELERY, run["airflow"]["version"]))
    print(document(runs, arguments.workers))


def document(runs, workers):
    machine = f"{platform.system()}, {platform.machine()}, {os.cpu_count()} processors"
    settings, target = runs[0]["settings"], runs[0]["target"]
    lines = [
        "# Measured on real Airflow\n",
        f"Made by `scripts/results-airflow` on {datetime.date.today().isoformat()}; {machine}. Each run:",
        f"`boltbouncer lab --engine airflow --tasks {settings['tasks']} --calls {settings['calls']}`, LocalExecutor or",
        f"CeleryExecutor with {settings['parallelism']} tasks at once, on {target['agent']}; {settings['hold_ms']} ms of other work after each",
        f"call, query `{settings['query']}`, a pool of {settings['pool_size']} for *pooled*. Connections were counted at the server, by",
        "`dbms.listConnections` and its connection ids. The machine is shared: times vary from run to run, counts do",
        "not; the peaks depend on how many tasks the scheduler gets to run at once.\n",
        "| Airflow | pattern | opened | peak open | peak idle | tasks failed | tasks at once | task p50 | duration |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for run in runs:
        lines += [row(run, pattern) for pattern in run["patterns"]]
    lines += ["", *notes(runs, workers)]
    return "\n".join(lines)


def row(run, pattern):
    airflow, connections, dag = run["airflow"], pattern["connections"], pattern["airflow"]
    name = f"{airflow['version']}, {airflow['executor']}, {airflow['database']}"
    return (
        f"| {name} | {pattern['name']} | {connections['opened']} | {connections['peak_open']} | {connections['peak_idle']} "
        f"| {pattern['tasks']['failed']} | {dag['peak_running']} | {dag['task_s']['p50']:.1f} s | {pattern['wall_s']:.0f} s |"
    )


def notes(runs, workers):
    drivers = {run["airflow"]["version"]: run["settings"]["driver"] for run in runs}
    celery = next(run for run in runs if run["airflow"]["executor"] == CELERY)
    took = sum(sum(pattern["airflow"]["task_states"].values()) for pattern in celery["patterns"])
    lines = [
        "*Duration* is from the first task's start to the last one's end. *Hook* is the official provider's `Neo4jHook`,",
        "one for each call. Drivers: " + ", ".join(f"{driver} on {version}" for version, driver in sorted(drivers.items())) + ".\n",
        f"With Celery, two workers took {workers[0]} and {workers[1]} tasks ({took} calls' tasks and one planning task for each of the",
        f"{len(celery['patterns'])} patterns), and the limit of the pool held across them.\n",
        "The charts of the run on Airflow 2.8.1 with LocalExecutor:\n",
        "![Idle connections](../images/airflow-idle-connections.png)\n",
        "![Connections opened and closed](../images/airflow-opened-closed.png)",
    ]
    return lines


main()
