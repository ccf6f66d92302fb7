"""The set-up as a user has it: a .env made by make-env, Compose's services, and their health."""

import os
import re
import shutil
import subprocess
import time

from ..programs import ROOT, fail, free_port, quietly
from .engine import podman

PROJECT = "boltbouncer-compose-test"
# Neither root nor the default, so that only who honours AIRFLOW_UID passes.
AIRFLOW_UID = 12345
FOLDER = ROOT / "airflow"
PORTS = ("AIRFLOW_PORT", "NEO4J_BOLT_PORT", "NEO4J_HTTP_PORT", "POOLER_PORT", "POOLER_ADMIN_PORT")
HEALTHY_MAX_S = 240
# Whatever the caller has set for Compose or the DAGs must not leak into the test.
OTHERS = re.compile(r"(COMPOSE_|NEO4J_|AIRFLOW_|_AIRFLOW_|BOLTBOUNCER_|DOCKER_).*|BIND_ADDRESS")


class Setup:
    def __init__(self, folder):
        self.environment, self.project = folder / "env", folder / "project"

    def make(self, files=None):
        """Begins afresh, with Compose's files if they are not the default."""
        shutil.rmtree(self.project, ignore_errors=True)
        (self.project / "logs").mkdir(parents=True)
        shutil.copytree(FOLDER / "dags", self.project / "dags")
        self.environment.unlink(missing_ok=True)
        quietly(FOLDER / "make-env", "--to", self.environment)
        for name in PORTS:
            self._change(name, free_port())
        self._change("AIRFLOW_UID", AIRFLOW_UID)
        self._change("AIRFLOW_PROJ_DIR", self.project)
        if files:
            with self.environment.open("a") as file:
                file.write(f"COMPOSE_FILE={files}\n")

    def _change(self, name, value):
        text = self.environment.read_text()
        changed = re.sub(rf"^{name}=.*", f"{name}={value}", text, flags=re.MULTILINE)
        self.environment.write_text(changed)

    def value(self, name):
        return self.values(name)[0]

    def values(self, pattern):
        """Of all settings whose names fit."""
        return re.findall(rf"^(?:{pattern})=(.+)$", self.environment.read_text(), re.MULTILINE)

    def secrets(self):
        return self.values(r"[A-Z0-9_]*(?:PASSWORD|TOKEN|KEY)")

    def command(self, *words, limit=600):
        """All of Compose's settings are in the file, as for a user; it is named only because it is elsewhere."""
        named = ["--project-name", PROJECT, "--env-file", str(self.environment)]
        return ["timeout", str(limit), "docker-compose", *named, *words]

    def compose(self, *words, limit=600):
        return quietly(*self.command(*words, limit=limit), cwd=FOLDER)

    def try_compose(self, *words, limit=600):
        """Whether it works, and what it said."""
        done = subprocess.run(
            self.command(*words, limit=limit),
            cwd=FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        return done.returncode == 0, done.stdout

    def await_healthy(self, *services):
        deadline = time.monotonic() + HEALTHY_MAX_S
        while ill := [service for service in services if not is_healthy(service)]:
            if time.monotonic() > deadline:
                fail(f"not healthy in time: {', '.join(ill)}")
            time.sleep(1)

    def last_words(self):
        states = podman("ps", "--all", "--format", "{{.Names}} {{.Status}}")
        return states + "\n" + self.try_compose("logs", "--no-color", "--tail=12")[1]


def forget_others_settings():
    for name in [name for name in os.environ if OTHERS.fullmatch(name)]:
        del os.environ[name]


def containers(service):
    labels = [f"project={PROJECT}", f"service={service}"]
    filters = [word for label in labels for word in ("--filter", f"label=com.docker.compose.{label}")]
    return podman("ps", "--all", "--quiet", *filters).split()


def inspected(container, what):
    return podman("inspect", "--format", f"{{{{.State.{what}}}}}", container)


def is_healthy(service):
    found = containers(service)
    return bool(found) and all(inspected(one, "Health.Status") == "healthy" for one in found)
