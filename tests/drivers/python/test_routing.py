"""The same server through the neo4j:// scheme, and what it says about itself."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from neo4j import READ_ACCESS, WRITE_ACCESS, Driver
from neo4j.exceptions import ClientError


@pytest.fixture
def routed(uri: str, open_driver: Callable[..., Driver]) -> Driver:
    return open_driver(uri.replace("bolt", "neo4j", 1))


def test_a_routed_driver_verifies_its_connectivity(routed: Driver) -> None:
    assert routed.verify_connectivity() is None


@pytest.mark.parametrize("database", [None, "neo4j"])
def test_a_routed_driver_writes_and_reads(
    routed: Driver, label: str, database: str | None
) -> None:
    with routed.session(database=database) as session:
        session.execute_write(
            lambda tx: tx.run(f"CREATE (:{label} {{v: 1}})").consume()
        )
        query = f"MATCH (n:{label}) RETURN n.v AS v"
        assert session.execute_read(lambda tx: tx.run(query).value()) == [1]


@pytest.mark.parametrize("mode", [READ_ACCESS, WRITE_ACCESS])
def test_routed_sessions_of_both_modes_reach_the_server(
    routed: Driver, uri: str, mode: str
) -> None:
    with routed.session(default_access_mode=mode) as session:
        summary = session.run("RETURN 1").consume()
    assert summary.server.address[1] == urlsplit(uri).port
    assert summary.database == "neo4j"


def test_a_routed_write_in_a_read_transaction_is_refused(
    routed: Driver, label: str
) -> None:
    with routed.session() as session, pytest.raises(ClientError) as failure:
        session.execute_read(lambda tx: tx.run(f"CREATE (:{label})").consume())
    assert failure.value.code == "Neo.ClientError.Statement.AccessMode"


def test_a_routed_driver_passes_bookmarks_between_queries(
    routed: Driver, label: str
) -> None:
    routed.execute_query(f"CREATE (:{label})")
    answer = routed.execute_query(f"MATCH (n:{label}) RETURN n", routing_="r")
    assert len(answer.records) == 1


def test_routing_to_an_unknown_database_fails(routed: Driver) -> None:
    with (
        routed.session(database="nosuchdatabase") as session,
        pytest.raises(ClientError) as failure,
    ):
        session.run("RETURN 1").consume()
    assert failure.value.code == "Neo.ClientError.Database.DatabaseNotFound"


def test_server_info_names_port_agent_and_protocol(driver: Driver, uri: str) -> None:
    info = driver.get_server_info()
    assert info.agent.startswith("Neo4j/")
    assert info.address[1] == urlsplit(uri).port
    assert info.protocol_version >= (4, 4)


def test_the_server_supports_several_databases(driver: Driver) -> None:
    assert driver.supports_multi_db() is True


@pytest.mark.parametrize("database", ["system", None])
def test_show_databases_lists_neo4j_and_system(
    driver: Driver, database: str | None
) -> None:
    with driver.session(database=database) as session:
        rows = session.run("SHOW DATABASES").data()
    databases = {row["name"]: row for row in rows}
    assert {"neo4j", "system"} <= databases.keys()
    assert databases["neo4j"]["currentStatus"] == "online"
    assert databases["neo4j"]["default"] is True


def test_the_credentials_of_the_driver_can_be_verified(
    driver: Driver, auth: tuple[str, str]
) -> None:
    assert driver.verify_authentication(auth=auth) is True
