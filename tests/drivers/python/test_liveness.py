"""Connections stay usable after failures, time-outs and idle checks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from neo4j import Driver, Query, Session
from neo4j.exceptions import ClientError

ENDLESS = (
    "UNWIND range(1, 1000000) AS a UNWIND range(1, 1000000) AS b RETURN count(*) AS n"
)
TIMED_OUT = "Neo.ClientError.Transaction.TransactionTimedOut"


def test_one_connection_survives_repeated_failures(
    open_driver: Callable[..., Driver],
) -> None:
    single = open_driver(max_connection_pool_size=1)
    for i in range(5):
        with single.session() as session:
            with pytest.raises(ClientError):
                session.run("RETURN 1/0").consume()
            assert session.run("RETURN $i AS i", i=i).value() == [i]


def test_one_connection_survives_a_failed_transaction(
    open_driver: Callable[..., Driver], label: str, stored: Callable[[], int]
) -> None:
    single = open_driver(max_connection_pool_size=1)
    with single.session() as session:
        with pytest.raises(ClientError), session.begin_transaction() as tx:
            tx.run(f"CREATE (:{label})").consume()
            tx.run("RETRUN 1").consume()
        session.run(f"CREATE (:{label})").consume()
    assert stored() == 1


def test_an_unread_result_does_not_leak_into_the_next_query(
    open_driver: Callable[..., Driver],
) -> None:
    single = open_driver(max_connection_pool_size=1)
    with single.session(fetch_size=10) as session:
        session.run("UNWIND range(1, 500) AS n RETURN n")
        assert session.run("RETURN 'second' AS n").value() == ["second"]
        session.run("UNWIND range(1, 500) AS n RETURN n")
    with single.session() as session:
        assert session.run("RETURN 'third' AS n").value() == ["third"]


def test_a_liveness_check_before_every_use_passes(
    open_driver: Callable[..., Driver],
) -> None:
    checked = open_driver(liveness_check_timeout=0, max_connection_pool_size=1)
    answers = [
        checked.execute_query("RETURN $i AS i", i=i).records[0]["i"] for i in range(3)
    ]
    assert answers == [0, 1, 2]


def test_a_query_timeout_cuts_a_long_query_short(session: Session) -> None:
    with pytest.raises(ClientError) as failure:
        session.run(Query(ENDLESS, timeout=1)).consume()
    assert failure.value.code.startswith(TIMED_OUT)
    assert session.run("RETURN 1 AS n").value() == [1]


def test_a_transaction_timeout_cuts_a_long_query_short(
    session: Session, label: str, stored: Callable[[], int]
) -> None:
    with (
        pytest.raises(ClientError) as failure,
        session.begin_transaction(timeout=1) as tx,
    ):
        tx.run(f"CREATE (:{label})").consume()
        tx.run(ENDLESS).consume()
    assert failure.value.code.startswith(TIMED_OUT)
    assert stored() == 0
    assert session.run("RETURN 1 AS n").value() == [1]


def test_a_timeout_that_does_not_expire_changes_nothing(session: Session) -> None:
    with session.begin_transaction(timeout=30) as tx:
        assert tx.run("RETURN 1 AS n").value() == [1]
        tx.commit()
    assert tx.closed()
