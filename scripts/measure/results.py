"""The command scripts/results: the lab with both workers, then the sandbox's speed and memory."""

import argparse
import json
import os
import shutil
import sys

from . import documents
from .programs import NEO4J_VERSIONS, PASSWORD, Programs, boltbouncer, python_with_driver, run

IDLE_CONNECTIONS = 10_000
IDLE_CLIENTS = 5_000
PAGES = {
    "lab.md": "what the lab shows, and what its presets are made of",
    "performance.md": "what the pooler costs",
    "instructions.md": "in instructions",
    "airflow.md": "the patterns on Airflow",
    "airflow-busy.md": "Airflow on a busy machine",
    "compose.md": "Docker Compose",
    "matrix.md": "drivers direct",
    "matrix-pooler.md": "drivers through the pooler",
    "fuzz.md": "fuzzing",
    "exploration.md": "the unit of work, explored",
    "cross-talk.md": "a million queries under kills",
    "soak.md": "half an hour of everything",
    "driver-suite.md": "the official Python driver's own tests",
}


def main(head):
    form = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=head, formatter_class=form).parse_args()
    python = python_with_driver()
    if not os.path.samefile(sys.prefix, python.parents[1]):
        os.execv(python, [python, *sys.argv])  # This program needs the driver, too.
    binary = boltbouncer()
    with Programs() as programs:
        runs = programs.folder / "lab"
        run_labs(programs, binary, python, runs)
        keep_charts(runs)
        documents.write("README.md", document(programs, binary, runs))


def run_labs(programs, binary, python, runs):
    environment = dict(os.environ, NEO4J_PASSWORD=PASSWORD)

    def lab(name, worker, *options):
        words = ["lab", "--out", runs / f"{name} {worker}", "--worker", worker, "--python", python, "--rounds", "1"]
        run(binary, *words, *options, env=environment)

    for worker in ("rust", "python"):
        lab("sandbox", worker, "--preset", "unlimited")
        for version in NEO4J_VERSIONS:
            with programs.neo4j(version) as neo4j:
                lab(f"Neo4j {version}", worker, "--uri", neo4j.uri, "--yes")


def keep_charts(runs):
    (real,) = (runs / f"Neo4j {NEO4J_VERSIONS[0]} rust").iterdir()
    for chart in ("idle-connections", "opened-closed"):
        shutil.copy(real / f"{chart}.png", documents.RESULTS / f"neo4j-{chart}.png")
    shutil.copy(real / "report.html", documents.RESULTS / "neo4j-report.html")


def document(programs, binary, runs):
    from . import speed  # It needs the driver.

    sandbox = programs.start(
        "sandbox", binary, "sandbox", "--password", PASSWORD, "--listen", "127.0.0.1:0"
    )
    pooler = programs.start(
        "pooler", binary, "serve", "--upstream", sandbox.uri, "--listen", "127.0.0.1:0"
    )
    with programs.neo4j() as neo4j:
        speeds = speed.table({"Neo4j": neo4j.uri, "sandbox": sandbox.uri, "pooler": pooler.uri})
    sandbox_memory = speed.idle_memory(sandbox, IDLE_CONNECTIONS)
    pooler_memory = speed.idle_memory(pooler, IDLE_CLIENTS)
    return f"""# Measured results

Made by `scripts/results` on {documents.today()}; {documents.machine()}. The machine is shared: times vary from run to run,
counts do not.

More results: {links()}.

## The lab: 100 tasks, 32 at once, 5 calls each, 200 ms of other work after each call

{lab_table(runs)}

Opened is exactly tasks × calls for *problematic* and exactly tasks for *improved* on every server.
With 5 calls for each task, *improved* can lower the peak by 80 % at most. *Pooled* runs the problematic tasks
through a pooler whose pool has {pool_size(runs)} connections. One more may be opened to check the password.
Python processes take longer to start than a task works, so fewer of them run at the same moment and the
peak is lower for the first two patterns.

The Rust driver does not switch off Nagle's algorithm, so a login waits about 40 ms for an acknowledgement on
loopback. That is most of its time to the first answer here.

The [report of the run on Neo4j 5.26.0](neo4j-report.html) with the Rust worker, and its charts:

![Idle connections](neo4j-idle-connections.png)

![Connections opened and closed](neo4j-opened-closed.png)

## The sandbox's speed beside Neo4j 5.26.0

{speeds}

{speed.ROUNDS} rounds, each with one turn for both servers; medians, with the smallest and largest round in brackets.
`RETURN 1`: {speed.QUERIES} auto-commit queries a round with one Python driver, p50. Stream: `UNWIND range(1, {speed.RECORDS})
AS n RETURN n` to a raw socket that counts bytes.

## Memory for idle connections

The sandbox, {sandbox_memory}

The pooler, {pooler_memory}

About 0.3 KiB of the pooler's memory are the session, about 0.3 KiB its task, and 0.3 KiB what lists and metrics keep
about it (read from the sizes of the types). The rest is the socket in Tokio and the allocator's share.
"""


def links():
    """To the pages that there are; each is written by a command of its own."""
    return ",\n".join(f"[{words}]({page})" for page, words in PAGES.items() if (documents.RESULTS / page).exists())


def results_of(folder):
    (results,) = folder.glob("*/results.json")
    return json.loads(results.read_text())


def pool_size(runs):
    (size,) = {results_of(folder)["settings"]["pool_size"] for folder in runs.iterdir()}
    return size


def lab_table(runs):
    lines = [
        "| server, worker | pattern | opened | peak open | change of the peak | failed | wall time | first answer p50 |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for folder in sorted(runs.iterdir()):
        patterns = results_of(folder)["patterns"]
        first_peak = patterns[0]["connections"]["peak_open"]
        lines += [lab_row(folder.name, pattern, first_peak) for pattern in patterns]
    return "\n".join(lines)


def lab_row(name, pattern, first_peak):
    connections = pattern["connections"]
    change = (connections["peak_open"] - first_peak) / first_peak * 100
    return (
        f"| {name} | {pattern['name']} | {connections['opened']} | {connections['peak_open']}"
        f" | {f'−{-change:.0f} %' if change else ''} | {pattern['tasks']['failed']}"
        f" | {pattern['wall_s']:.1f} s | {pattern['first_answer']['ms']['p50']:.0f} ms |"
    )
