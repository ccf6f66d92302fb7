"""A Python process with a `database` of the improved kind, which a test leads step by step."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

TIMEOUT_S = 60

PRELUDE = """
import os, sys
import neo4j_connections as connections

settings = connections.Settings.from_environment()
identity = connections.Identity("2.8.1", "dag", "run", "task", 1)
database = connections.ImprovedDatabaseConnection(settings, identity)

def step(name):
    print(name, flush=True)
    sys.stdin.readline()
"""


class Process:
    """Runs `body` after the prelude. Its errors fail the test that leads it."""

    def __init__(self, body, settings):
        environment = dict(
            os.environ,
            NEO4J_URI=settings.uri,
            NEO4J_USERNAME=settings.username,
            NEO4J_PASSWORD=settings.password,
            PYTHONPATH=str(Path(__file__).resolve().parent.parent / "dags"),
            PYTHONDONTWRITEBYTECODE="1",
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + body],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._overdue = threading.Timer(TIMEOUT_S, self._kill)
        self._overdue.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self._kill()
        output, _ = self._process.communicate()
        self._overdue.cancel()
        if kind is None:
            assert (self._process.returncode, output) == (0, "")

    def _kill(self):
        """Ends the process and its children, which may hang."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def expect(self, name):
        """Waits for that step, at which the process waits for `go_on`."""
        assert self._process.stdout.readline() == name + "\n"

    def go_on(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()
