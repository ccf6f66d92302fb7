"""Built-in procedures and functions that monitoring and tooling rely on."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
from neo4j import Driver, Session
from neo4j.exceptions import ServiceUnavailable, SessionExpired


@pytest.fixture
def agent() -> str:
    return f"conformance/{uuid.uuid4().hex}"


@pytest.fixture
def victim(open_driver: Callable[..., Driver], agent: str) -> Driver:
    """A driver with one idle connection that is recognised by its user agent."""
    victim = open_driver(user_agent=agent)
    victim.verify_connectivity()
    return victim


def connections(session: Session, agent: str) -> list[dict]:
    rows = session.run("CALL dbms.listConnections()").data()
    return [row for row in rows if row["userAgent"] == agent]


def kill(session: Session, connection_id: str) -> dict:
    query = "CALL dbms.killConnection($id)"
    return session.run(query, id=connection_id).single(strict=True).data()


def test_components_name_the_version_and_edition(session: Session) -> None:
    query = "CALL dbms.components() YIELD name, versions, edition"
    components = {record["name"]: record for record in session.run(query)}
    record = components["Neo4j Kernel"]
    assert re.match(r"\d+\.\d+", record["versions"][0])
    assert record["edition"] in {"community", "enterprise"}


def test_yielded_columns_can_be_filtered_and_renamed(session: Session) -> None:
    query = (
        "CALL dbms.components() YIELD name, versions AS found "
        "WHERE name = $name RETURN size(found) AS size"
    )
    assert session.run(query, name="Neo4j Kernel").value() == [1]
    assert session.run(query, name="Another Kernel").value() == []


@pytest.mark.direct
def test_a_connection_is_listed_with_its_user_agent(
    session: Session, victim: Driver, agent: str, auth: tuple[str, str]
) -> None:
    [row] = connections(session, agent)
    assert re.fullmatch(r"bolt-\d+", row["connectionId"])
    assert row["connector"] == "bolt"
    assert row["username"] == auth[0]
    assert re.fullmatch(r".+:\d+", row["clientAddress"])
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", row["connectTime"])


@pytest.mark.direct
def test_connection_ids_rise(
    session: Session, open_driver: Callable[..., Driver], agent: str
) -> None:
    for _ in range(3):
        open_driver(user_agent=agent).verify_connectivity()
    ids = [row["connectionId"] for row in connections(session, agent)]
    assert len({int(name.removeprefix("bolt-")) for name in ids}) == 3


@pytest.mark.direct
def test_a_killed_idle_connection_is_replaced(
    session: Session, victim: Driver, agent: str
) -> None:
    [before] = connections(session, agent)
    answer = kill(session, before["connectionId"])
    assert answer["connectionId"] == before["connectionId"]
    assert answer["message"] == "Connection found"
    assert victim.execute_query("RETURN 7 AS n").records[0]["n"] == 7
    [after] = connections(session, agent)
    assert after["connectionId"] != before["connectionId"]


@pytest.mark.direct
def test_killing_a_connection_ends_its_transaction(
    session: Session,
    victim: Driver,
    agent: str,
    label: str,
    stored: Callable[[], int],
) -> None:
    with victim.session() as doomed:
        tx = doomed.begin_transaction()
        tx.run(f"CREATE (:{label})").consume()
        [row] = connections(session, agent)
        kill(session, row["connectionId"])
        with pytest.raises((ServiceUnavailable, SessionExpired)):
            tx.run("RETURN 1").consume()
    assert stored() == 0
    assert victim.execute_query("RETURN 1 AS n").records[0]["n"] == 1


def test_killing_an_unknown_connection_reports_it(session: Session) -> None:
    answer = kill(session, "bolt-999999999")
    assert answer == {
        "connectionId": "bolt-999999999",
        "username": "n/a",
        "message": "No connection found with this id",
    }


def test_show_transactions_lists_the_querying_transaction(
    session: Session, auth: tuple[str, str]
) -> None:
    rows = session.run("SHOW TRANSACTIONS").data()
    own = [row for row in rows if row["currentQuery"] == "SHOW TRANSACTIONS"]
    assert own
    row = own[0]
    assert row["database"] == "neo4j"
    assert row["username"] == auth[0]
    assert row["status"] == "Running"
    assert re.fullmatch(r"neo4j-transaction-\d+", row["transactionId"])
    assert re.fullmatch(r"bolt-\d+", row["connectionId"])


@pytest.mark.direct
def test_show_transactions_tells_busy_connections_from_idle_ones(
    session: Session, victim: Driver, agent: str
) -> None:
    [row] = connections(session, agent)

    def is_busy() -> bool:
        rows = session.run("SHOW TRANSACTIONS").data()
        return row["connectionId"] in {row["connectionId"] for row in rows}

    assert not is_busy()
    with victim.session() as other, other.begin_transaction() as tx:
        tx.run("RETURN 1").consume()
        assert is_busy()
        tx.commit()
    assert not is_busy()


def test_random_uuids_are_unique_version_four(session: Session) -> None:
    query = "UNWIND range(1, 5) AS i RETURN randomUUID() AS id"
    ids = [uuid.UUID(text) for text in session.run(query).value()]
    assert len(set(ids)) == 5
    assert {value.version for value in ids} == {4}


def test_timestamps_count_milliseconds_and_do_not_run_backwards(
    session: Session,
) -> None:
    first = session.run("RETURN timestamp() AS t").single(strict=True)["t"]
    second = session.run("RETURN timestamp() AS t").single(strict=True)["t"]
    assert isinstance(first, int)
    assert 1_600_000_000_000 < first <= second < 10_000_000_000_000


def test_the_element_id_function_agrees_with_the_driver(
    session: Session, label: str
) -> None:
    query = f"CREATE (n:{label}) RETURN n, elementId(n) AS id"
    record = session.run(query).single(strict=True)
    assert record["id"] == record["n"].element_id
