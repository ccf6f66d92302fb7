"""Neo4j connection patterns as DAGs, for Airflow 2.8 and 3: what each costs in connections.

Every task asks Neo4j `calls` times. How it gets its driver is the pattern, and the only difference.
What a task saw is in its XCom `outcome`; what all of them cost, the server and the monitor know.
"""

import json
import os
from datetime import datetime, timedelta, timezone
from importlib.util import find_spec
from urllib.parse import urlsplit

from airflow import __version__ as airflow_version

try:
    from airflow.sdk import DAG, Param, get_current_context, task
except ImportError:
    from airflow import DAG
    from airflow.decorators import task
    from airflow.models.param import Param
    from airflow.operators.python import get_current_context

# These two came into the SDK later than the rest.
try:
    from airflow.sdk import BaseHook
except ImportError:
    from airflow.hooks.base import BaseHook
try:
    from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException
except ImportError:
    from airflow.exceptions import AirflowFailException, AirflowNotFoundException

import neo4j_connections as connections
import neo4j_monitor

HOOK_CONNECTION = "neo4j_default"
PROVIDER = "apache-airflow-providers-neo4j"

COMMON = {
    "start_date": datetime(2024, 1, 1, tzinfo=timezone.utc),
    "catchup": False,
    "max_active_runs": 1,
    "default_args": {"retries": 0},
    "tags": ["neo4j", "boltbouncer"],
}


def pattern_settings(tasks, calls=3):
    """For DAGs whose tasks all run at once, as far as the executor can."""
    params = {
        "tasks": Param(tasks, type="integer", minimum=1, maximum=1024),
        "calls": Param(calls, type="integer", minimum=1),
        "hold_ms": Param(200, type="integer", minimum=0),
        "query": Param("RETURN 1", type="string", minLength=1),
    }
    return {**COMMON, "max_active_tasks": 1024, "params": params}


class HookDatabaseConnection(connections.DatabaseConnection):
    """The official provider's hook: one per call, kept referenced. It can't name DAG and task."""

    kept = []

    def __init__(self, settings, identity):
        super().__init__(settings, identity)
        self.hooks = connections.package("airflow.providers.neo4j.hooks.neo4j", PROVIDER)

    def driver(self, alias):
        hook = self.hooks.Neo4jHook(HOOK_CONNECTION)
        self.kept.append(hook)
        driver = hook.get_conn()
        self.created += 1
        driver.verify_connectivity()
        return driver

    def run(self, driver, query):
        return self.kept[-1].run(query)

    def open_drivers(self):
        return len(self.kept)


def hook_settings():
    """Settings of the Airflow connection, which is made from NEO4J_* if there is none."""
    try:
        found = BaseHook.get_connection(HOOK_CONNECTION)
    except AirflowNotFoundException:
        settings = connections.Settings.from_environment()
        os.environ["AIRFLOW_CONN_NEO4J_DEFAULT"] = airflow_connection(settings)
        return settings
    uri = f"bolt://{found.host}:{found.port or connections.PORT}"
    return connections.Settings(uri, found.login, found.password, found.schema)


def airflow_connection(settings):
    """The connection as Airflow reads it from the environment, and the hook makes a URI of it."""
    parts = urlsplit(settings.uri)
    kind, _, security = parts.scheme.partition("+")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    extra = {
        "neo4j_scheme": kind == "neo4j",
        "certs_self_signed": security == "ssc",
        "certs_trusted_ca": security == "s",
    }
    return json.dumps(
        {
            "conn_type": "neo4j",
            "host": host,
            "port": settings.port,
            "login": settings.username,
            "password": settings.password,
            "schema": settings.database,
            "extra": extra,
        }
    )


def pooled_settings():
    return connections.Settings.from_environment("NEO4J_POOLED_URI")


PROBLEMATIC = connections.ProblematicDatabaseConnection
IMPROVED = connections.ImprovedDatabaseConnection
PATTERNS = {
    "problematic": (PROBLEMATIC, connections.Settings.from_environment),
    "improved": (IMPROVED, connections.Settings.from_environment),
    "pooled": (PROBLEMATIC, pooled_settings),
    "hook": (HookDatabaseConnection, hook_settings),
}


class FinalSettingsError(connections.SettingsError, AirflowFailException):
    """What is missing is missing at the next try too, so there is none."""


@task(retries=2, retry_delay=timedelta(seconds=5))
def plan(pattern):
    """Says in one line what is missing, before a hundred tasks do.

    It changes nothing, so it is tried again if a busy Airflow has lost it.
    """
    try:
        check(pattern)
    except connections.SettingsError as error:
        raise FinalSettingsError(str(error)) from None
    return list(range(get_current_context()["params"]["tasks"]))


def check(pattern):
    connections.package("neo4j", "neo4j==5.28.0")
    if pattern == "hook" and find_spec("airflow.providers.neo4j") is None:
        line = f"the Python package {PROVIDER} is missing: pip install {PROVIDER}"
        raise connections.SettingsError(line)
    PATTERNS[pattern][1]()


@task
def call_neo4j(number, pattern):
    context = get_current_context()
    params = context["params"]
    outcome = neo4j_monitor.Outcome()
    try:
        kind, settings = PATTERNS[pattern]
        with kind(settings(), identity(context)) as database:
            outcome.call(database, params["query"], params["calls"], params["hold_ms"])
    except Exception as error:
        outcome.failed(error)
        raise
    finally:
        # As text: the REST API of Airflow 2 shows anything else in Python's notation.
        context["ti"].xcom_push(key="outcome", value=json.dumps(outcome.numbers()))


@task
def count_connections():
    return neo4j_monitor.connection_report(identity(get_current_context()))


def identity(context):
    return connections.Identity.of(airflow_version, context["ti"])


def call_in_parallel(pattern):
    call_neo4j.partial(pattern=pattern).expand(number=plan(pattern))


with DAG("neo4j_problematic_pattern", schedule=None, **pattern_settings(tasks=100)):
    call_in_parallel("problematic")

with DAG(
    "neo4j_improved_pattern",
    schedule=None,
    # schedule="*/10 * * * *",
    **pattern_settings(tasks=100),
):
    call_in_parallel("improved")

with DAG("neo4j_stress_test", schedule=None, **pattern_settings(tasks=50, calls=6)):
    call_in_parallel("problematic")

with DAG("neo4j_pooled_pattern", schedule=None, **pattern_settings(tasks=100)):
    call_in_parallel("pooled")

with DAG("neo4j_hook_pattern", schedule=None, **pattern_settings(tasks=100)):
    call_in_parallel("hook")

with DAG("neo4j_connection_monitor", schedule="*/5 * * * *", **COMMON):
    count_connections()
