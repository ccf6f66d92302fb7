"""Commit, rollback, isolation, access modes and bookmarks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from neo4j import READ_ACCESS, Driver, ManagedTransaction, Session
from neo4j.exceptions import ClientError, TransactionError

ACCESS_MODE = "Neo.ClientError.Statement.AccessMode"


def test_a_commit_is_visible_to_another_session(
    session: Session, label: str, stored: Callable[[], int]
) -> None:
    with session.begin_transaction() as tx:
        tx.run(f"CREATE (:{label})").consume()
        tx.commit()
    assert stored() == 1


def test_a_rollback_leaves_nothing_behind(
    session: Session, label: str, stored: Callable[[], int]
) -> None:
    with session.begin_transaction() as tx:
        tx.run(f"CREATE (:{label})").consume()
        tx.rollback()
    assert stored() == 0


def test_a_rollback_restores_changed_and_deleted_data(
    session: Session, label: str
) -> None:
    session.run(f"CREATE (:{label} {{v: 1}}), (:{label} {{v: 2}})").consume()
    with session.begin_transaction() as tx:
        tx.run(f"MATCH (n:{label} {{v: 1}}) SET n.v = 10").consume()
        tx.run(f"MATCH (n:{label} {{v: 2}}) DELETE n").consume()
        tx.rollback()
    query = f"MATCH (n:{label}) RETURN n.v AS v ORDER BY v"
    assert session.run(query).value() == [1, 2]


def test_uncommitted_writes_are_seen_inside_only(
    session: Session, label: str, stored: Callable[[], int]
) -> None:
    with session.begin_transaction() as tx:
        tx.run(f"CREATE (:{label} {{v: 1}})").consume()
        inside = tx.run(f"MATCH (n:{label}) RETURN n.v AS v").value()
        assert inside == [1]
        assert stored() == 0
        tx.commit()
    assert stored() == 1


def test_a_later_query_of_a_transaction_builds_on_an_earlier_one(
    session: Session, label: str
) -> None:
    with session.begin_transaction() as tx:
        tx.run(f"CREATE (:{label} {{v: 1}})").consume()
        tx.run(f"MATCH (n:{label}) SET n.v = n.v + 1").consume()
        tx.run(f"MATCH (n:{label}) CREATE (n)-[:TO]->(:{label} {{v: 9}})").consume()
        query = f"MATCH (n:{label})-[:TO]->(m) RETURN n.v AS n, m.v AS m"
        assert tx.run(query).values() == [[2, 9]]
        tx.commit()


def test_an_error_fails_the_transaction_and_undoes_it(
    session: Session, label: str, stored: Callable[[], int]
) -> None:
    tx = session.begin_transaction()
    tx.run(f"CREATE (:{label})").consume()
    with pytest.raises(ClientError):
        tx.run("RETURN 1/0").consume()
    with pytest.raises(TransactionError):
        tx.run("RETURN 1")
    with pytest.raises(TransactionError):
        tx.commit()
    tx.close()
    assert stored() == 0
    assert session.run("RETURN 1 AS one").single(strict=True)["one"] == 1


def test_closing_a_transaction_without_commit_rolls_back(
    session: Session, label: str, stored: Callable[[], int]
) -> None:
    tx = session.begin_transaction()
    tx.run(f"CREATE (:{label})").consume()
    tx.close()
    assert tx.closed()
    assert stored() == 0


def test_leaving_the_block_without_an_error_commits(
    session: Session, label: str, stored: Callable[[], int]
) -> None:
    with session.begin_transaction() as tx:
        tx.run(f"CREATE (:{label})").consume()
    assert stored() == 1


def test_an_exception_in_the_block_rolls_back(
    session: Session, label: str, stored: Callable[[], int]
) -> None:
    with pytest.raises(KeyError, match="ours"), session.begin_transaction() as tx:
        tx.run(f"CREATE (:{label})").consume()
        raise KeyError("ours")
    assert stored() == 0


def test_closing_the_session_rolls_back_its_open_transaction(
    driver: Driver, label: str, stored: Callable[[], int]
) -> None:
    session = driver.session()
    session.begin_transaction().run(f"CREATE (:{label})").consume()
    session.close()
    assert stored() == 0


def test_a_session_runs_many_transactions_one_after_another(
    session: Session, label: str, stored: Callable[[], int]
) -> None:
    for keep in (True, False, True, False, True):
        with session.begin_transaction() as tx:
            tx.run(f"CREATE (:{label})").consume()
            tx.commit() if keep else tx.rollback()
    assert stored() == 3


def test_an_empty_transaction_commits(session: Session) -> None:
    with session.begin_transaction(metadata={"purpose": "nothing"}) as tx:
        tx.commit()
    assert tx.closed()


def test_managed_transactions_write_then_read(session: Session, label: str) -> None:
    def write(tx: ManagedTransaction, value: int) -> int:
        query = f"CREATE (n:{label} {{v: $v}}) RETURN n.v AS v"
        return tx.run(query, v=value).single(strict=True)["v"]

    def read(tx: ManagedTransaction) -> list[int]:
        return tx.run(f"MATCH (n:{label}) RETURN n.v AS v ORDER BY v").value()

    assert [session.execute_write(write, value) for value in (1, 2)] == [1, 2]
    assert session.execute_read(read) == [1, 2]


def test_a_managed_transaction_does_not_retry_a_client_error(
    session: Session, label: str, stored: Callable[[], int]
) -> None:
    calls = []

    def fail(tx: ManagedTransaction) -> None:
        calls.append(1)
        tx.run(f"CREATE (:{label})").consume()
        tx.run("RETURN 1/0").consume()

    with pytest.raises(ClientError):
        session.execute_write(fail)
    assert len(calls) == 1
    assert stored() == 0


def test_a_write_in_execute_read_is_refused(
    session: Session, label: str, stored: Callable[[], int]
) -> None:
    with pytest.raises(ClientError) as failure:
        session.execute_read(lambda tx: tx.run(f"CREATE (:{label})").consume())
    assert failure.value.code == ACCESS_MODE
    assert stored() == 0


@pytest.mark.parametrize("explicit", [False, True])
def test_a_write_in_a_read_session_is_refused(
    driver: Driver, label: str, stored: Callable[[], int], explicit: bool
) -> None:
    with driver.session(default_access_mode=READ_ACCESS) as session:
        runner = session.begin_transaction() if explicit else session
        with pytest.raises(ClientError) as failure:
            runner.run(f"CREATE (:{label})").consume()
    assert failure.value.code == ACCESS_MODE
    assert stored() == 0


def test_a_write_returns_a_bookmark_the_next_session_accepts(
    driver: Driver, label: str
) -> None:
    with driver.session() as writer:
        writer.run(f"CREATE (:{label} {{v: 5}})").consume()
        bookmarks = writer.last_bookmarks()
    assert len(bookmarks.raw_values) == 1
    assert all(bookmarks.raw_values)
    with driver.session(bookmarks=bookmarks) as reader:
        assert reader.run(f"MATCH (n:{label}) RETURN n.v AS v").value() == [5]


def test_a_commit_replaces_the_bookmark(session: Session, label: str) -> None:
    seen = []
    for _ in range(2):
        with session.begin_transaction() as tx:
            tx.run(f"CREATE (:{label})").consume()
            tx.commit()
        seen.append(session.last_bookmarks().raw_values)
    assert all(len(bookmarks) == 1 for bookmarks in seen)
    assert seen[0] != seen[1]


def test_bookmarks_of_two_sessions_can_be_joined(driver: Driver, label: str) -> None:
    with driver.session() as one, driver.session() as two:
        for session in (one, two):
            session.run(f"CREATE (:{label})").consume()
        joined = one.last_bookmarks() + two.last_bookmarks()
    with driver.session(bookmarks=joined) as reader, reader.begin_transaction() as tx:
        count = tx.run(f"MATCH (n:{label}) RETURN count(n) AS count").single()["count"]
    assert count == 2


def test_two_open_transactions_both_read_then_write_in_turn(
    driver: Driver, label: str
) -> None:
    with driver.session() as setup:
        setup.run(f"CREATE (:{label} {{k: 1}}), (:{label} {{k: 2}})").consume()
    count = f"MATCH (n:{label}) RETURN count(n) AS count"
    write = f"MATCH (n:{label} {{k: $k}}) SET n.written = true"
    with driver.session() as one, driver.session() as two:
        first, second = one.begin_transaction(), two.begin_transaction()
        assert first.run(count).single(strict=True)["count"] == 2
        assert second.run(count).single(strict=True)["count"] == 2
        first.run(write, k=1).consume()
        first.commit()
        second.run(write, k=2).consume()
        second.commit()
    with driver.session() as reader:
        query = f"MATCH (n:{label}) WHERE n.written RETURN n.k AS k ORDER BY k"
        assert reader.run(query).value() == [1, 2]


def test_an_open_transaction_sees_what_another_commits_meanwhile(
    driver: Driver, label: str
) -> None:
    count = f"MATCH (n:{label}) RETURN count(n) AS count"
    with (
        driver.session() as one,
        driver.session() as two,
        one.begin_transaction() as reader,
    ):
        assert reader.run(count).single(strict=True)["count"] == 0
        two.run(f"CREATE (:{label})").consume()
        assert reader.run(count).single(strict=True)["count"] == 1


def test_a_named_database_is_the_same_as_the_home_database(
    driver: Driver, label: str
) -> None:
    with driver.session(database="neo4j") as session:
        session.run(f"CREATE (:{label})").consume()
        assert session.run("RETURN 1").consume().database == "neo4j"
    with driver.session() as session:
        assert session.run(f"MATCH (n:{label}) RETURN count(n)").value() == [1]
