"""Starts and stops what is measured. What a `Programs` has started ends with it, however it ends."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "boltbouncer"
NEO4J_VERSIONS = ("5.26.0", "2026.09.0")
PASSWORD = "boltbouncer-test"
START_MAX_S = 30
STOP_MAX_S = 30


class Programs:
    """What a measurement has started, and a folder for its files."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="boltbouncer-measure-"))
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in reversed(self.running[:]):
            self.stop(program)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name, *command, is_ready=None, **options):
        """Starts a program and waits until it is ready: until it has said its URI, unless told otherwise."""
        output, log = self.folder / f"{name}.out", self.folder / f"{name}.log"
        with output.open("w") as words, log.open("w") as errors:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=words, stderr=errors, cwd=ROOT, **options
            )
        program = Program(name, process, output)
        self.running.append(program)
        deadline = time.monotonic() + START_MAX_S
        while not (is_ready() if is_ready else program.uri):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.stderr.write(log.read_text())
                fail(f"{name} did not start; its log ends as above")
            time.sleep(0.05)
        return program

    def stop(self, program):
        """Ends a program in order, or by force if that takes too long."""
        self.running.remove(program)
        program.process.terminate()
        try:
            program.process.wait(STOP_MAX_S)
        except subprocess.TimeoutExpired:
            program.process.kill()
            program.process.wait()

    @contextmanager
    def neo4j(self, version=NEO4J_VERSIONS[0], *options, open_files=None):
        """A Neo4j with an empty database, which no other program finds and measures as well. `open_files` is how
        many it may open."""
        home = self.folder / f"neo4j-{version}"
        environment = dict(os.environ, XDG_STATE_HOME=str(self.folder / "state"))
        words = [ROOT / "scripts/neo4j", "start", "--version", version, "--port", "0", "--home", home]
        try:
            words += ["--password", PASSWORD, *options]
            if open_files:
                words = ["bash", "-c", f'ulimit -n {open_files} && exec "$@"', "bash", *words]
            uri = said(*words, env=environment)
            yield Neo4j(uri, int((home / "pid").read_text()))
        finally:
            subprocess.run([ROOT / "scripts/neo4j", "stop", "--home", home], env=environment, stderr=subprocess.DEVNULL)
            shutil.rmtree(home, ignore_errors=True)


@dataclass(frozen=True)
class Program:
    name: str
    process: subprocess.Popen
    output: Path

    @property
    def uri(self):
        """The first line that the program said; empty until then."""
        line, end, _ = self.output.read_text().partition("\n")
        return line if end else ""

    @property
    def pid(self):
        return self.process.pid


@dataclass(frozen=True)
class Neo4j:
    uri: str
    pid: int


def free_port():
    """A port of this machine that nobody has at the moment."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def is_listened_on(port):
    with socket.socket() as knocking:
        return knocking.connect_ex(("127.0.0.1", port)) == 0


def boltbouncer():
    """The binary to measure: built now, unless the variable BOLTBOUNCER names one."""
    if named := os.environ.get("BOLTBOUNCER"):
        return Path(named).resolve()
    run("cargo", "build", "--profile", "dist", "--locked")
    return Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "dist" / "boltbouncer"


def python_with_driver(version="6"):
    """A Python with that version of Neo4j's driver, in the virtual environment of scripts/test."""
    home, wanted = CACHE / f"python-{version}", ROOT / f"tests/drivers/python/requirements-{version}.txt"
    installed = home / "requirements.txt"
    if not installed.exists() or installed.read_text() != wanted.read_text():
        shutil.rmtree(home, ignore_errors=True)
        run(sys.executable, "-m", "venv", home)
        run(home / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted)
        shutil.copy(wanted, installed)
    return home / "bin/python"


def run(*command, **options):
    """Runs a command to its end; what it says is not part of our own answer."""
    subprocess.run(command, check=True, cwd=ROOT, stdout=sys.stderr, **options)


def said(*command, **options):
    """What a command said on standard output."""
    done = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True, **options)
    return done.stdout.strip()


def quietly(*command, **options):
    """Runs a command whose output is shown only if it fails, and then only the end of it."""
    options = {"cwd": ROOT, "text": True, "errors": "replace", **options}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode:
        print("\n".join(done.stdout.splitlines()[-30:]), file=sys.stderr)
        fail(f"failed: {' '.join(map(str, command[:3]))}; its output ends as above")
    return done.stdout


def wait_for(what, seconds, is_so):
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            fail(f"{what}: not in time")
        time.sleep(0.5)


def fail(words):
    sys.exit(f"{sys.argv[0]}: {words}")


def step(words):
    print(f"\n=== {words}", file=sys.stderr, flush=True)
