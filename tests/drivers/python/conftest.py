"""Fixtures shared by the driver conformance tests.

The server under test is named by BB_TEST_URI, BB_TEST_USER and BB_TEST_PASSWORD;
BB_TEST_DIRECT=0 says that a pooler stands in front of it.
Every test keeps its nodes under a label of its own, which the `label` fixture deletes.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator

import pytest
from neo4j import Driver, GraphDatabase, Session

VARIABLES = ("BB_TEST_URI", "BB_TEST_USER", "BB_TEST_PASSWORD")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "direct: needs the server to see this driver's own connection",
    )
    missing = [name for name in VARIABLES if not os.environ.get(name)]
    if missing:
        raise pytest.UsageError(f"set {', '.join(missing)} to name the server")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("BB_TEST_DIRECT") != "0":
        return
    skip = pytest.mark.skip(reason="a pooler stands between driver and server")
    for item in items:
        if item.get_closest_marker("direct"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def uri() -> str:
    return os.environ["BB_TEST_URI"]


@pytest.fixture(scope="session")
def auth() -> tuple[str, str]:
    return os.environ["BB_TEST_USER"], os.environ["BB_TEST_PASSWORD"]


@pytest.fixture(scope="session")
def driver(uri: str, auth: tuple[str, str]) -> Iterator[Driver]:
    with GraphDatabase.driver(uri, auth=auth) as driver:
        yield driver


@pytest.fixture
def session(driver: Driver, request: pytest.FixtureRequest) -> Iterator[Session]:
    # The label comes first, so that its nodes are deleted after this session closed:
    # a transaction that a failing test left open can then not block the clean-up.
    if "label" in request.fixturenames:
        request.getfixturevalue("label")
    with driver.session() as session:
        yield session


@pytest.fixture
def open_driver(uri: str, auth: tuple[str, str]) -> Iterator[Callable[..., Driver]]:
    """Opens further drivers with options of their own, closed after the test."""
    opened: list[Driver] = []

    def open_one(uri: str = uri, **options: object) -> Driver:
        opened.append(GraphDatabase.driver(uri, auth=auth, **options))
        return opened[-1]

    yield open_one
    for driver in opened:
        driver.close()


@pytest.fixture
def label(driver: Driver) -> Iterator[str]:
    """A label no other test uses; its nodes are deleted after the test."""
    label = f"T{uuid.uuid4().hex}"
    yield label
    with driver.session() as session:
        session.run(f"MATCH (n:{label}) DETACH DELETE n").consume()


@pytest.fixture
def stored(driver: Driver, label: str) -> Callable[[], int]:
    """Counts the committed nodes of this test, read in a session of its own."""

    def count() -> int:
        with driver.session() as session:
            query = f"MATCH (n:{label}) RETURN count(n) AS count"
            return session.run(query).single(strict=True)["count"]

    return count
