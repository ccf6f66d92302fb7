"""Fixtures for the tests of the Airflow kit.

The server under test is named by BB_TEST_URI, BB_TEST_USER and BB_TEST_PASSWORD, as in
tests/drivers/python. Only the DAG tests run without it.
"""

import os
import sys
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest

sys.dont_write_bytecode = True
DAGS = Path(__file__).resolve().parent.parent / "dags"
sys.path.insert(0, str(DAGS))

import neo4j_connections as connections  # noqa: E402
from relay import Relay  # noqa: E402


@pytest.fixture
def server():
    """The address of the server under test."""
    variables = ("BB_TEST_URI", "BB_TEST_USER", "BB_TEST_PASSWORD")
    missing = [name for name in variables if not os.environ.get(name)]
    if missing:
        pytest.fail(f"set {', '.join(missing)} to name the server", pytrace=False)
    parts = urlsplit(os.environ["BB_TEST_URI"])
    return parts.hostname, parts.port or connections.PORT


@pytest.fixture
def settings(server):
    """Straight to the server, without routing: what a test counts is at this address."""
    return settings_for(*server)


@pytest.fixture
def relay(server):
    with Relay(server) as relay:
        yield relay


@pytest.fixture
def relayed(relay):
    return settings_for("127.0.0.1", relay.port)


@pytest.fixture
def identity():
    """A task of a DAG that no other test has."""
    return connections.Identity("2.8.1", f"dag_{uuid.uuid4().hex}", "run 1", "call_neo4j[3]", 1)


@pytest.fixture
def improved(relayed, identity):
    with connections.ImprovedDatabaseConnection(relayed, identity) as database:
        yield database


@pytest.fixture
def problematic(relayed, identity):
    yield connections.ProblematicDatabaseConnection(relayed, identity)
    while connections.ProblematicDatabaseConnection.kept:
        connections.ProblematicDatabaseConnection.kept.pop().close()


@pytest.fixture
def always_check(monkeypatch):
    monkeypatch.setattr(connections, "CHECK_EVERY_S", 0)


def settings_for(host, port):
    user, password = os.environ["BB_TEST_USER"], os.environ["BB_TEST_PASSWORD"]
    host = f"[{host}]" if ":" in host else host
    return connections.Settings(f"bolt://{host}:{port}", user, password)
