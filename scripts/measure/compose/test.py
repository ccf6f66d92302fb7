"""The command, and the order of its steps."""

import argparse
import fcntl
import os
import sys
import time

from ..programs import CACHE, Programs, boltbouncer, fail, step
from . import checks, document, management, patterns
from .engine import Engine, install_packages
from .images import Images
from .setup import Setup, containers, forget_others_settings, inspected

LOCAL = ("postgres", "neo4j", "pooler", "airflow-webserver", "airflow-scheduler")
CELERY = ("postgres", "redis", "neo4j", "pooler", "airflow-webserver", "airflow-scheduler", "airflow-worker")
CELERY_FILES = "docker-compose.yml:docker-compose.celery.yml"
PROBLEMATIC_LINE = "🍌 Problematic: created new driver for alias 'root'"
IMPROVED_LINE = "🍌 Improved: reusing existing sync driver for root"
TASKS_MAX = 1024


def main(head):
    chosen = options(head)
    if os.geteuid() != 0:
        fail("networks between containers need root: run it as root")
    os.nice(10)
    install_packages()
    cache = CACHE / "compose-test"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock, Programs() as programs:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fail("another compose-test is running")
        binary = None if chosen.images else boltbouncer()
        forget_others_settings()
        with Engine(programs, cache) as engine:
            Images(programs, cache).make()
            engine.serve()
            test = Test(programs, binary, chosen.tasks)
            test.build_pooler()
            if not chosen.images:
                test.run()


def options(head):
    parser = argparse.ArgumentParser(
        prog="scripts/compose-test", description=head, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", metavar="N", type=int, default=20)
    parser.add_argument("--images", action="store_true")
    chosen = parser.parse_args()
    if not 1 <= chosen.tasks <= TASKS_MAX:
        parser.error(f"--tasks needs a number from 1 to {TASKS_MAX}")
    return chosen


class Test:
    def __init__(self, programs, binary, tasks):
        self.programs, self.binary, self.tasks = programs, binary, tasks
        self.setup = Setup(programs.folder)
        self.setup.make()
        self.rows, self.facts, self.commands = [], [], []

    def build_pooler(self):
        step("the pooler's image, by Compose")
        self.setup.compose("build", "pooler", limit=2400)

    def run(self):
        began = time.monotonic()
        try:
            self.local_executor()
            self.celery_executor()
            document.write(self.tasks, self.rows, self.facts, self.commands)
        except (Exception, SystemExit) as end:
            if getattr(end, "code", None) != 130:
                print(self.setup.last_words(), file=sys.stderr)
            raise
        step(f"passed in {time.monotonic() - began:.0f} s")

    def local_executor(self):
        step("LocalExecutor: up")
        checks.missing_settings()
        began = time.monotonic()
        self.setup.compose("up", "airflow-init")
        if inspected(*containers("airflow-init"), "ExitCode") != "0":
            fail("airflow-init failed")
        self.up("LocalExecutor", LOCAL, began)
        dags = self.patterns("LocalExecutor")
        dags.monitor()
        checks.log_lines(self.setup, "neo4j_problematic_pattern", PROBLEMATIC_LINE, 3 * self.tasks)
        checks.log_lines(self.setup, "neo4j_improved_pattern", IMPROVED_LINE, 2 * self.tasks)
        self.log_owner("LocalExecutor")
        self.commands = management.try_all(self.setup)
        step("restart policy")
        checks.comes_back(self.setup)
        self.fact("Pooler killed", "restarted and healthy")
        checks.stops_gently(self.setup)
        self.fact("`docker compose stop pooler`", "exit code 0, in less than 10 s")
        self.down("LocalExecutor")

    def celery_executor(self):
        step("CeleryExecutor: up")
        self.setup.make(CELERY_FILES)
        self.up("CeleryExecutor", CELERY, time.monotonic())
        if len(containers("airflow-worker")) != 2:
            fail("there are not two workers")
        self.patterns("CeleryExecutor")
        self.log_owner("CeleryExecutor")
        self.down("CeleryExecutor")

    def up(self, executor, services, began):
        self.setup.compose("up", "-d")
        self.setup.await_healthy(*services)
        self.fact(f"{executor}: all services healthy after", f"{time.monotonic() - began:.0f} s")
        checks.who_and_where(self.setup, services)

    def patterns(self, executor):
        dags = patterns.Dags(self.setup, self.binary, self.programs.folder)
        rows = dags.patterns(executor, self.tasks)
        patterns.check(rows, self.tasks)
        self.rows += rows
        return dags

    def log_owner(self, executor):
        count = checks.log_owner(self.setup)
        self.fact(f"{executor}: log files, all owned by AIRFLOW_UID", str(count))

    def down(self, executor):
        step("down -v")
        began = time.monotonic()
        self.setup.compose("down", "-v")
        self.fact(f"{executor}: `down -v`", f"{time.monotonic() - began:.0f} s")
        checks.nothing_is_left(self.setup)

    def fact(self, name, value):
        print(f"{name}: {value}", file=sys.stderr)
        self.facts.append((name, value))
