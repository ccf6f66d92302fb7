"""docs/results/compose.md."""

from .. import documents
from ..programs import said
from . import images
from .engine import podman
from .patterns import CALLS, pool_size


def write(tasks, rows, facts, commands):
    documents.write("compose.md", text(tasks, rows, facts, commands))


def text(tasks, rows, facts, commands):
    measured = "\n".join(
        f"| {row['executor']} | {row['dag']} | {row['opened']} | {row['peak_open']} | {row['failed']}"
        f" | {row['seconds']:.1f} s | {row['hosts']} |"
        for row in rows
    )
    noted = "\n".join(f"| {name} | {value} |" for name, value in facts)
    tried = "\n".join("| `{}` | {} |".format(shown.replace("|", "\\|"), how) for shown, how in commands)
    return f"""# Docker Compose

Made by `scripts/compose-test` on {documents.today()}: `airflow/docker-compose.yml` with the profiles `neo4j` and
`pooler`, then with `docker-compose.celery.yml` on top and two workers; both unchanged, with a `.env` made
by `make-env`. {tasks} tasks of {CALLS} calls each, which `boltbouncer lab --airflow-url` triggered over Airflow's
REST API; it counted their connections at Neo4j. The pooler's pool is {pool_size()}. *Duration* is from the first task's
start to the last one's end.

| executor | DAG | opened | peak open | failed tasks | duration | containers that ran tasks |
|---|---|---:|---:|---:|---:|---:|
{measured}

| | |
|---|---|
{noted}

Also checked: Compose names a password that is not set; only the start of `airflow-init` runs as
root, and Airflow's processes run as AIRFLOW_UID; no password is on a command line; all ports are published
on 127.0.0.1 only. With LocalExecutor: the task logs have the expected lines, as often as they should; the
monitor got the answers of Neo4j and of the pooler. After each `down -v` no container, volume, network or open port was left.

## Commands

| with LocalExecutor running | |
|---|---|
{tried}

## On what

{first_line('podman', '--version').replace('version ', '')} with {first_line('runc', '--version').replace('version ', '')} and netavark, driven over its Docker-compatible API by
docker-compose {said('docker-compose', 'version', '--short')}. Health checks were run by the script, as podman leaves them to systemd.

**The published images were not tried**, because no image registry was within reach. Docker's own engine and
Compose 2 were not tried either. Stand-ins (`deploy/stand-ins`) ran under the images' names. They are made from
Debian 12, and from packages of PyPI and Maven Central for what Debian does not have:

| name | inside |
|---|---|
| postgres:13 | PostgreSQL {inside(images.POSTGRES, "postgres --version | cut -d ' ' -f 3")} |
| redis:7.2 | Redis {inside(images.REDIS, "redis-server --version | sed 's/.*v=//; s/ .*//'")} |
| neo4j:5.26.0 | the server's jars 5.26.0 on Java {inside(images.NEO4J, JAVA)} |
| apache/airflow:2.8.1 | Airflow 2.8.1 on {inside(images.AIRFLOW, 'python --version')} |
| rust:1.95-slim-bookworm | {' '.join(said('rustc', '--version').split()[:2])}, gcc, crates without network |
| debian:bookworm-slim | Debian {inside(images.DEBIAN, 'cat /etc/debian_version')}, minimal |

What the compose files expect of the images' entry points (`_PIP_ADDITIONAL_REQUIREMENTS` and the like) was
written anew for the stand-ins.
"""


def first_line(*command):
    return said(*command).splitlines()[0]


def inside(image, words):
    """What a command says in a container of the image."""
    return podman("run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", words)


JAVA = "java -version 2>&1 | sed -n 's/.*version \"//; s/\".*//p' | head -n 1"
