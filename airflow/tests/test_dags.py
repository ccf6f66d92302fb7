"""How Airflow sees the DAG file: run with the Python of an Airflow 2.8 or 3 environment."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

# A folder that is merely called airflow makes `import airflow` work, so a real part is looked for.
if not find_spec("airflow") or not find_spec("airflow.models"):
    pytest.skip("Airflow is not installed here", allow_module_level=True)

HERE = Path(__file__).resolve().parent
DAGS = HERE.parent / "dags"
PATTERNS = {
    "neo4j_problematic_pattern": (100, 3),
    "neo4j_improved_pattern": (100, 3),
    "neo4j_stress_test": (50, 6),
    "neo4j_pooled_pattern": (100, 3),
    "neo4j_hook_pattern": (100, 3),
}
MONITOR = "neo4j_connection_monitor"


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    """Runs a script in an Airflow with a home of its own, without NEO4J_* in its environment."""
    home = tmp_path_factory.mktemp("airflow")
    ours = ("NEO4J_", "BOLTBOUNCER_", "AIRFLOW")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    environment.update(
        AIRFLOW_HOME=str(home),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__UNIT_TEST_MODE="False",
        PYTHONDONTWRITEBYTECODE="1",
        PYTHONPATH=str(DAGS),
    )

    def run(*words, **variables):
        done = subprocess.run(
            [sys.executable, *map(str, words)],
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    yield run
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def facts(airflow):
    return airflow(HERE / "describe_dags.py", DAGS)


def test_they_import_without_errors_or_warnings_of_ours(facts):
    assert (facts["errors"], facts["warnings"]) == ({}, [])
    assert facts["files"] == [str(DAGS / "test_connection_reproduction.py")]


def test_there_are_six(facts):
    assert set(facts["dags"]) == {*PATTERNS, MONITOR}


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_runs_when_triggered_and_all_its_tasks_at_once(facts, name):
    tasks, calls = PATTERNS[name]
    assert facts["dags"][name] == {
        "schedule": None,
        "catchup": False,
        "paused": None,
        "max_active_runs": 1,
        "max_active_tasks": 1024,
        "params": {"tasks": tasks, "calls": calls, "hold_ms": 200, "query": "RETURN 1"},
        "retries": {"plan": 2, "call_neo4j": 0},
        "tasks": {"plan": ["call_neo4j"], "call_neo4j": []},
        "mapped": ["call_neo4j"],
    }


def test_the_monitor_runs_every_five_minutes(facts):
    monitor = facts["dags"][MONITOR]
    assert (monitor["schedule"], monitor["catchup"], monitor["max_active_runs"]) == (
        "*/5 * * * *",
        False,
        1,
    )
    assert monitor["tasks"] == {"count_connections": []}


def test_the_improved_patterns_schedule_is_there_to_be_uncommented():
    text = (DAGS / "test_connection_reproduction.py").read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines()]
    start = lines.index('"neo4j_improved_pattern",')
    assert lines[start + 1 : start + 3] == ["schedule=None,", '# schedule="*/10 * * * *",']


def test_they_import_without_the_driver(airflow, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['neo4j'] = None\n")
    facts = airflow(HERE / "describe_dags.py", DAGS, PYTHONPATH=f"{tmp_path}:{DAGS}")
    assert (facts["errors"], len(facts["dags"])) == ({}, 6)


def test_a_warning_of_a_dag_file_would_be_seen(airflow, tmp_path):
    (tmp_path / "old_dag.py").write_text(
        "import warnings\n"
        "from airflow import DAG\n"
        "warnings.warn('this is the old way', DeprecationWarning)\n"
    )
    facts = airflow(HERE / "describe_dags.py", tmp_path)
    assert re.search("this is the old way", "".join(facts["warnings"]))


PLAN = """
import json
import test_connection_reproduction as dags

def error_of(pattern):
    try:
        dags.plan.function(pattern)
    except dags.connections.SettingsError as error:
        # Airflow tries such a task only once.
        assert isinstance(error, dags.AirflowFailException)
        return str(error)

print("\\n" + json.dumps({pattern: error_of(pattern) for pattern in dags.PATTERNS}))
"""


def test_a_missing_setting_is_one_line_of_the_plan(airflow):
    uri = "NEO4J_URI is not set: set it in the environment of the Airflow worker"
    errors = airflow("-c", PLAN)
    assert errors == {
        "problematic": uri,
        "improved": uri,
        "pooled": uri.replace("URI", "POOLED_URI"),
        "hook": uri,
    }
    errors = airflow("-c", PLAN, NEO4J_URI="bolt://db:7687", NEO4J_POOLED_URI="bolt://db:7688")
    assert set(errors.values()) == {uri.replace("URI", "PASSWORD")}


HOOK = """
import json, os
import test_connection_reproduction as dags
from airflow.providers.neo4j.hooks.neo4j import Neo4jHook

made = []
for scheme in dags.connections.SCHEMES:
    settings = dags.connections.Settings(scheme + "://db.example:7699", "me", "p@ss:/?#", "movies")
    os.environ["AIRFLOW_CONN_NEO4J_DEFAULT"] = dags.airflow_connection(settings)
    found = dags.BaseHook.get_connection("neo4j_default")
    made.append([Neo4jHook().get_uri(found), found.login, found.password, found.schema])
print("\\n" + json.dumps(made))
"""


def test_the_hooks_connection_has_the_scheme_of_the_uri(airflow):
    pytest.importorskip("airflow.providers.neo4j")
    schemes = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
    assert airflow("-c", HOOK) == [
        [f"{scheme}://db.example:7699", "me", "p@ss:/?#", "movies"] for scheme in schemes
    ]


SETTINGS = """
import json, sys
from airflow.configuration import conf

def is_known(name):
    try:
        return conf.get(*name.split(".")) is not None
    except Exception:
        return False

names = [line.partition("=")[0].strip() for line in open(sys.argv[1]) if line.strip()]
print("\\n" + json.dumps([name for name in names if name[0] != "#" and not is_known(name)]))
"""


VERSION = """
import airflow, json
print("\\n" + json.dumps(airflow.__version__))
"""


def test_airflow_knows_every_setting_that_users_may_choose(airflow):
    version = airflow("-c", VERSION)
    assert airflow("-c", SETTINGS, HERE.parent / f"settings/{version}.txt") == []
