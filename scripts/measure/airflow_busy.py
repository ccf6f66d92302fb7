"""The command scripts/airflow-busy: the lab on Airflow while something else keeps every processor busy."""

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass

from . import documents
from .programs import Programs, boltbouncer, step

RUNS = {"3.3.2": 10, "2.8.1": 3}
TASKS, CALLS, PARALLELISM = 20, 2, 8
RUN_MAX_S = 1200
# It ends by itself if nobody ends it.
BUSY = "import time\nend = time.monotonic() + 7200\nwhile time.monotonic() < end: pass"


@dataclass(frozen=True)
class Run:
    version: str
    seconds: float
    code: int
    succeeded: int
    wanted: int
    said: str

    @property
    def is_complete(self):
        return self.code == 0 and self.succeeded == self.wanted


def main(head):
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="scripts/airflow-busy", description=head, formatter_class=form)
    parser.add_argument("--runs", type=int, default=RUNS["3.3.2"])
    parser.add_argument("--old-runs", type=int, default=RUNS["2.8.1"])
    arguments = parser.parse_args()
    binary = boltbouncer()
    wanted = {"3.3.2": arguments.runs, "2.8.1": arguments.old_runs}
    runs = []
    with Programs() as programs, busy_processors():
        for version, count in wanted.items():
            for number in range(1, count + 1):
                step(f"Airflow {version}, run {number} of {count}")
                runs.append(lab(programs, binary, version, len(runs)))
                print(f"{runs[-1].seconds:.0f} s, complete: {runs[-1].is_complete}", file=sys.stderr)
    text = document(runs)
    print(text)
    if all(wanted[version] >= count for version, count in RUNS.items()):
        documents.write("airflow-busy.md", text)
    sys.exit(not all(run.is_complete for run in runs))


@contextmanager
def busy_processors():
    loops = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(os.cpu_count())]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def lab(programs, binary, version, index):
    out = programs.folder / f"run-{index}"
    words = ["lab", "--engine", "airflow", "--airflow-version", version, "--preset", "unlimited", "--out", out]
    words += ["--tasks", f"{TASKS}", "--calls", f"{CALLS}", "--parallelism", f"{PARALLELISM}"]
    began = time.monotonic()
    done = subprocess.run([binary, *words], capture_output=True, text=True, timeout=RUN_MAX_S)
    took = time.monotonic() - began
    sys.stderr.write(done.stderr[-2000:])
    patterns = [
        pattern for path in out.glob("*/results.json") for pattern in json.loads(path.read_text())["patterns"]
    ]
    succeeded = sum(pattern["tasks"]["succeeded"] for pattern in patterns)
    lines = done.stderr.strip().splitlines()
    said = "" if done.returncode == 0 else " ".join(lines[-1:])
    return Run(version, took, done.returncode, succeeded, 4 * TASKS, said)


def document(runs):
    rows = "\n".join(
        f"| {number} | {run.version} | {run.seconds:.0f} s | {run.succeeded} of {run.wanted} "
        f"| {'yes' if run.is_complete else '**no**'} | {run.said} |"
        for number, run in enumerate(runs, 1)
    )
    complete = sum(run.is_complete for run in runs)
    return f"""# Airflow on a busy machine

Made by `scripts/airflow-busy` on {documents.today()}; {documents.machine()}. While {os.cpu_count()} busy loops ran beside it,
`boltbouncer lab --engine airflow --preset unlimited --tasks {TASKS} --calls {CALLS} --parallelism {PARALLELISM}` set up, ran and ended a whole Airflow with
LocalExecutor and PostgreSQL, {len(runs)} times one after the other. A run is complete if the lab says so and every task of its four
patterns succeeded.

**{complete} of {len(runs)} runs are complete.**

| run | Airflow | took | tasks that succeeded | complete | what it said |
|---:|---|---:|---:|---|---|
{rows}
"""
