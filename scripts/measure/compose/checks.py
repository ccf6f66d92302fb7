"""What must hold of the set-up while it runs, when a part of it dies, and after it."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

from ..programs import fail, is_listened_on, wait_for
from .engine import podman
from .setup import AIRFLOW_UID, FOLDER, PROJECT, containers, inspected

AIRFLOW_SERVICES = ("airflow-webserver", "airflow-scheduler", "airflow-worker")


def missing_settings():
    """Compose says what is missing before it starts anything."""
    words = ["docker-compose", "--project-name", PROJECT, "--env-file", ".env.example", "config"]
    done = subprocess.run(words, cwd=FOLDER, capture_output=True, text=True)
    if done.returncode == 0:
        fail("the set-up starts without passwords")
    if "set it in .env; ./make-env makes one" not in done.stdout + done.stderr:
        fail(f"a missing password is not named: {done.stderr}")


def who_and_where(setup, services):
    """The users of the processes, the addresses of the ports, and that no password is on a command line."""
    for service in AIRFLOW_SERVICES:
        for container in containers(service):
            if podman("exec", container, "id", "-u") != str(AIRFLOW_UID):
                fail(f"{service} does not run as AIRFLOW_UID")
    for service in services:
        for container in containers(service):
            for pid in podman("top", container, "hpid").split()[1:]:
                check_process(service, Path("/proc") / pid, setup.secrets())
    listed = podman("ps", "--format", "{{.Ports}}")
    addresses = set(re.findall(r"([^\s,]+):[0-9-]+->", listed))
    if addresses != {"127.0.0.1"}:
        fail(f"ports are published on {addresses}")


def check_process(service, process, secrets):
    try:
        status, line = (process / "status").read_text(), (process / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return  # It has ended meanwhile.
    if re.search(r"^Uid:\s+\d+", status, re.MULTILINE).group().split()[1] == "0":
        fail(f"{service} runs as root: {line.replace(bytes(1), b' ').decode()}")
    if any(secret.encode() in line for secret in secrets):
        fail(f"a password is on a command line of {service}")


def log_lines(setup, dag, line, times):
    logs = setup.project / "logs" / f"dag_id={dag}"
    texts = (file.read_text(errors="replace") for file in logs.rglob("*") if file.is_file())
    found = sum(line in one for text in texts for one in text.splitlines())
    if found != times:
        fail(f"the task logs have '{line}' {found} times, not {times} times")


def log_owner(setup):
    """How many log files there are, all of which are AIRFLOW_UID's."""
    logs = setup.project / "logs"
    paths = [logs, *logs.rglob("*")]
    if strange := [path for path in paths if path.lstat().st_uid != AIRFLOW_UID]:
        fail(f"not AIRFLOW_UID's: {strange[0]}")
    return sum(path.is_file() for path in paths)


def comes_back(setup):
    """The restart policy, when a process dies by itself."""
    (pooler,) = containers("pooler")
    before = inspected(pooler, "Pid")
    os.kill(int(before), signal.SIGKILL)
    wait_for("the pooler's restart", 60, lambda: inspected(pooler, "Pid") not in ("0", before))
    setup.await_healthy("pooler")


def stops_gently(setup):
    """SIGTERM reaches the pooler itself: it ends at once, as nobody is at work, with code 0."""
    started = time.monotonic()
    setup.compose("stop", "pooler")
    if (took := time.monotonic() - started) >= 10:
        fail(f"the pooler took {took:.0f} s to stop")
    if inspected(*containers("pooler"), "ExitCode") != "0":
        fail("the pooler did not end with code 0")


def nothing_is_left(setup):
    label = f"label=com.docker.compose.project={PROJECT}"
    left = {
        "containers": podman("ps", "--all", "--quiet"),
        "volumes": podman("volume", "ls", "--quiet"),
        "networks": podman("network", "ls", "--quiet", "--filter", label),
    }
    for what, found in left.items():
        if found:
            fail(f"{what} are left: {found}")
    for port in setup.values("[A-Z0-9_]*_PORT"):
        if is_listened_on(int(port)):
            fail(f"port {port} is still in use")
