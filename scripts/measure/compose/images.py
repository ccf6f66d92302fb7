"""Stand-ins with the names of the published images, made of Debian's, PyPI's and Maven Central's packages.

deploy/stand-ins says how. An image is made again only if what goes into it has changed.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from ..programs import CACHE, ROOT, fail, quietly, said, step
from .engine import podman

STAND_INS = ROOT / "deploy/stand-ins"
POSTGRES = "docker.io/library/postgres:13"
REDIS = "docker.io/library/redis:7.2"
NEO4J = "docker.io/library/neo4j:5.26.0"
AIRFLOW = "docker.io/apache/airflow:2.8.1"
RUST = "docker.io/library/rust:1.95-slim-bookworm"
DEBIAN = "docker.io/library/debian:bookworm-slim"
BASE = "localhost/boltbouncer-base/"
SERVICES = (
    "ca-certificates,curl,dumb-init,netcat-openbsd,openjdk-17-jre-headless,postgresql,procps,python3,python3-pip,"
    "redis-server,libbz2-1.0,libffi8,liblzma5,libncursesw6,libreadline8,libsqlite3-0,libssl3"
)
AIRFLOW_ON_3_8 = [
    "apache-airflow[postgres,celery,redis]==2.8.1",
    "flask-session<0.6",
    "virtualenv<20.30",
    "sqlalchemy<2",
    "psycopg2-binary",
]


class Images:
    def __init__(self, programs, cache):
        self.programs, self.cache = programs, cache
        # What a Containerfile finds in /mnt.
        self.mount = programs.folder / "mnt"

    def make(self):
        extra = extra_requirements()
        pins = text_of("airflow/requirements/2.8.1.txt")
        self.base(DEBIAN, "ca-certificates")
        self.base(BASE + "rust", "ca-certificates,gcc,libc6-dev")
        self.base(BASE + "services", SERVICES)
        self.stand_in("postgres", POSTGRES, inputs("postgres-entrypoint"))
        self.stand_in("redis", REDIS, inputs())
        self.stand_in("neo4j", NEO4J, inputs("neo4j-entrypoint"), self.neo4j_files)
        self.stand_in(
            "airflow",
            AIRFLOW,
            f"{inputs('airflow-entrypoint')} {extra} {pins} {python38() or ''}",
            self.airflow_files,
            *("--network", "host", "--volume", "/etc/ssl/certs:/etc/ssl/certs:ro"),
            *("--build-arg", f"EXTRA={extra}"),
        )
        versions = f"{inputs()} {said('rustc', '--version')} {text_of('Cargo.lock')}"
        self.stand_in("rust", RUST, versions, self.rust_files)
        podman("image", "prune", "--force")

    def base(self, name, packages):
        """Debian's packages alone."""
        label = digest(f"{packages} bookworm")
        if is_made(name, label):
            return
        step(f"{name} by debootstrap")
        kept, root = self.cache / "packages", self.programs.folder / "root"
        kept.mkdir(parents=True, exist_ok=True)
        words = ["--variant=minbase", f"--cache-dir={kept}", f"--include={packages}", "bookworm", root]
        quietly("debootstrap", *words)
        with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as packed:
            changes = ["--change", "CMD=bash", "--change", f"LABEL=inputs={label}"]
            quietly("podman", "import", "--quiet", *changes, "-", name, stdin=packed.stdout)
        shutil.rmtree(root)

    def stand_in(self, target, name, made_of, files=lambda: None, *options):
        base = BASE + ("rust" if target == "rust" else "services")
        label = digest(f"{podman('image', 'inspect', '--format', '{{.Id}}', base)} {made_of}")
        if is_made(name, label):
            return
        step(name)
        self.mount.mkdir(exist_ok=True)
        files()
        words = ["--target", target, "--volume", f"{self.mount}:/mnt:ro", "--label", f"inputs={label}"]
        words += ["--tag", name, "--file", STAND_INS / "Containerfile", STAND_INS]
        quietly("podman", "build", *options, *words)
        shutil.rmtree(self.mount)

    def neo4j_files(self):
        jars = CACHE / "neo4j-5.26.0"
        if not jars.exists():
            with self.programs.neo4j():  # It fetches the jars.
                pass
        shutil.copytree(jars / "lib", self.mount / "jars/lib", symlinks=True)

    def airflow_files(self):
        """The published image has Python 3.8, which the pins are not for: there pip chooses what fits."""
        if prefix := python38():
            self.python_files(prefix)
            wanted = AIRFLOW_ON_3_8
        else:
            # Without what _PIP_ADDITIONAL_REQUIREMENTS is to bring.
            pins = text_of("airflow/requirements/2.8.1.txt").splitlines()
            wanted = [pin for pin in pins if not re.match(r"(neo4j|apache-airflow-providers-neo4j)==", pin)]
        # The published image has it, and `airflow dags show` wants it.
        (self.mount / "airflow.txt").write_text("\n".join([*wanted, "graphviz", ""]))
        # As pip is set up on this machine.
        listed = said(sys.executable, "-m", "pip", "config", "list")
        found = sorted(set(re.findall(r"^[^.\n]*\.([a-z-]*)='(.*)'$", listed, re.MULTILINE)))
        lines = [f"{name} = {value}" for name, value in found if name != "find-links"]
        (self.mount / "pip.conf").write_text("\n".join(["[global]", *lines, ""]))

    def python_files(self, prefix):
        """The interpreter and its library, without what is only for developers."""
        python = self.mount / "python"
        for folder in ("bin", "lib"):
            (python / folder).mkdir(parents=True)
        copy = [prefix / "bin" / name for name in ("python", "python3", "python3.8")]
        subprocess.run(["cp", "-a", *copy, python / "bin"], check=True)
        copy = [*(prefix / "lib").glob("libpython3*"), prefix / "lib/python3.8"]
        subprocess.run(["cp", "-a", *copy, python / "lib"], check=True)
        shutil.rmtree(python / "lib/python3.8/test", ignore_errors=True)
        for package in (python / "lib/python3.8/site-packages").glob("[!ps_]*"):
            shutil.rmtree(package) if package.is_dir() else package.unlink()

    def rust_files(self):
        toolchain, ours = Path(said("rustc", "--print", "sysroot")), self.mount / "toolchain"
        (ours / "bin").mkdir(parents=True)
        for name in ("cargo", "rustc"):
            shutil.copy2(toolchain / "bin" / name, ours / "bin")
        shutil.copytree(toolchain / "lib", ours / "lib", symlinks=True)
        quietly("cargo", "vendor", "--locked", "--versioned-dirs", self.mount / "vendor")
        (self.mount / "cargo-config.toml").write_text(
            '[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\ndirectory = "/usr/local/vendor"\n'
        )


def extra_requirements():
    """What the services of the compose files have pip install."""
    files = sorted((ROOT / "airflow").glob("docker-compose*.yml"))
    pattern = re.compile(r"^ *_PIP_ADDITIONAL_REQUIREMENTS: (.*)$", re.MULTILINE)
    found = {extra for file in files for extra in pattern.findall(file.read_text())}
    if len(found) != 1:
        fail("the services' _PIP_ADDITIONAL_REQUIREMENTS differ")
    return found.pop()


def inputs(*files):
    return "".join((STAND_INS / file).read_text() for file in ("Containerfile", *files)).rstrip("\n")


def text_of(path):
    return (ROOT / path).read_text().rstrip("\n")


def digest(text):
    return hashlib.sha1(f"{text}\n".encode()).hexdigest()


def is_made(name, label):
    words = ["podman", "image", "inspect", "--format", '{{index .Labels "inputs"}}', name]
    return subprocess.run(words, capture_output=True, text=True).stdout.strip() == label


def python38():
    """A Python 3.8 with its libraries in one folder, if there is one."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for candidate in sorted(versions.glob("3.8.*")):
        if (candidate / "bin/python3.8").exists() and (candidate / "lib/libpython3.8.so.1.0").exists():
            return candidate
    return None
