"""Commands that a person types while the set-up runs; each must work."""

import subprocess
import sys

from ..programs import fail, step

SCHEDULER = "airflow-scheduler"
CHECK_NEO4J = (
    "import os; from neo4j import GraphDatabase; "
    'GraphDatabase.driver(os.environ["NEO4J_URI"], auth=(os.environ["NEO4J_USERNAME"], '
    'os.environ["NEO4J_PASSWORD"])).verify_connectivity()'
)
DAG_FILE = "/opt/airflow/dags/test_connection_reproduction.py"
# As they are shown, and as they are run where that is not the same.
COMMANDS = [
    ("ps", None),
    ("logs", None),
    ("logs --tail=50 --timestamps airflow-scheduler", None),
    ("logs airflow-scheduler | grep -i neo4j", None),
    ("logs -f airflow-webserver", None),
    ("exec airflow-scheduler bash", [SCHEDULER, "bash", "-c", "true"]),
    ("exec airflow-webserver python3 --version", None),
    ("exec airflow-scheduler ps aux", None),
    ("exec airflow-scheduler df -h", None),
    ("exec airflow-scheduler pip list | grep neo4j", None),
    (
        "exec airflow-scheduler python3 -c 'import sys; print(sys.path)'",
        [SCHEDULER, "python3", "-c", "import sys; print(sys.path)"],
    ),
    ("exec airflow-scheduler python3 -c '… verify_connectivity()'", [SCHEDULER, "python3", "-c", CHECK_NEO4J]),
    ("exec airflow-scheduler ls -la /opt/airflow/dags/", None),
    (f"exec airflow-scheduler env PYTHONPYCACHEPREFIX=/tmp python3 -m py_compile {DAG_FILE}", None),
    (
        "exec airflow-scheduler find /opt/airflow/dags -name '*.pyc' -delete",
        [SCHEDULER, "find", "/opt/airflow/dags", "-name", "*.pyc", "-delete"],
    ),
    ("exec airflow-scheduler airflow dags list", None),
    ("exec airflow-scheduler airflow dags list-import-errors", None),
    ("exec airflow-scheduler airflow dags show neo4j_problematic_pattern", None),
    (
        "exec postgres psql -U airflow -d airflow",
        ["postgres", "psql", "-U", "airflow", "-d", "airflow", "-c", "select count(*) from dag_run"],
    ),
    ("kill -s HUP pooler", None),
]
RESTARTS = ["restart airflow-scheduler", "restart airflow-webserver"]


def try_all(setup):
    """Each command and whether it works, in the order in which a person might type them."""
    step("management commands")
    tried = [(f"docker compose {shown}", compose(setup, shown, inside)) for shown, inside in COMMANDS]
    for words in (["stats", "--no-stream"], ["system", "df"]):
        shown = " ".join(words)
        done = subprocess.run(["podman", *words], capture_output=True, text=True)
        tried.append((f"docker {shown} (podman {shown})", verdict(done.returncode == 0, done.stderr)))
    tried += [(f"docker compose {shown}", compose(setup, shown, None)) for shown in RESTARTS]
    setup.await_healthy("airflow-scheduler", "airflow-webserver")
    if failed := [f"{shown} {how}" for shown, how in tried if how != "works"]:
        print("\n".join(failed), file=sys.stderr)
        fail("not all commands work: see above")
    return tried


def compose(setup, shown, inside):
    words, _, wanted = shown.partition(" | grep ")
    words = words.split()
    if words[0] == "exec":
        words = ["exec", "-T", *(inside or words[1:])]
    if words[:2] == ["logs", "-f"]:
        # It ends only because it is made to.
        _, said = setup.try_compose(*words, limit=10)
        return verdict(bool(said), "it shows nothing")
    works, said = setup.try_compose(*words)
    if wanted and works:
        return verdict("neo4j" in said.lower(), "nothing is found")
    return verdict(works, said)


def verdict(works, said):
    return "works" if works else f"fails: {(said.splitlines() or [''])[-1]}"
