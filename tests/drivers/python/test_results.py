"""Streaming, interleaving and summaries of results."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import neo4j
import pytest
from neo4j import Driver, Session
from neo4j.exceptions import ResultNotSingleError


def test_a_partly_read_result_can_be_consumed(driver: Driver) -> None:
    with driver.session(fetch_size=10) as session:
        result = session.run("UNWIND range(1, 1000) AS n RETURN n")
        read = [record["n"] for record in itertools.islice(result, 15)]
        summary = result.consume()
        assert read == list(range(1, 16))
        assert summary.query_type == "r"
        assert session.run("RETURN 'next' AS word").value() == ["next"]


@pytest.mark.parametrize("fetch_size", [1, 7, 1000, -1])
def test_every_fetch_size_reads_all_records_in_order(
    driver: Driver, fetch_size: int
) -> None:
    with driver.session(fetch_size=fetch_size) as session:
        result = session.run("UNWIND range(1, 50) AS n RETURN n")
        assert result.value() == list(range(1, 51))


def test_ten_thousand_records_arrive_in_order(session: Session) -> None:
    result = session.run("UNWIND range(1, 10000) AS n RETURN n, toString(n) AS s")
    assert result.values() == [[n, str(n)] for n in range(1, 10_001)]


def test_two_results_of_a_transaction_interleave(driver: Driver) -> None:
    query = "UNWIND range($first, $last) AS n RETURN n"
    with driver.session(fetch_size=2) as session, session.begin_transaction() as tx:
        low = tx.run(query, first=1, last=9)
        high = tx.run(query, first=101, last=109)
        pairs = [(a["n"], b["n"]) for a, b in zip(low, high, strict=True)]
    assert pairs == [(n, n + 100) for n in range(1, 10)]


def test_an_open_result_survives_a_query_in_between(driver: Driver) -> None:
    with driver.session(fetch_size=2) as session, session.begin_transaction() as tx:
        outer = tx.run("UNWIND range(1, 5) AS n RETURN n")
        query = "RETURN $n * $n AS square"
        squares = [
            tx.run(query, n=record["n"]).single(strict=True)["square"]
            for record in outer
        ]
    assert squares == [1, 4, 9, 16, 25]


def test_a_commit_completes_results_nobody_read(
    driver: Driver, label: str, stored: Callable[[], int]
) -> None:
    query = f"UNWIND range(1, 20) AS n CREATE (m:{label}) RETURN m"
    with driver.session(fetch_size=3) as session, session.begin_transaction() as tx:
        tx.run(query)
        tx.run(query)
        tx.commit()
    assert stored() == 40


def test_discarding_an_auto_commit_write_still_commits_it(
    driver: Driver, label: str, stored: Callable[[], int]
) -> None:
    with driver.session(fetch_size=3) as session:
        result = session.run(f"UNWIND range(1, 20) AS n CREATE (m:{label}) RETURN n")
        assert next(iter(result))["n"] == 1
        result.consume()
    assert stored() == 20


def test_counters_name_what_a_write_created(session: Session, label: str) -> None:
    query = f"CREATE (a:{label}:Two {{x: 1, y: 2}})-[:TO {{z: 3}}]->(b:{label})"
    summary = session.run(query).consume()
    assert summary.query_type == "w"
    counters = summary.counters
    assert counters.contains_updates
    assert counters.nodes_created == 2
    assert counters.labels_added == 3
    assert counters.properties_set == 3
    assert counters.relationships_created == 1


def test_counters_name_what_a_write_deleted(session: Session, label: str) -> None:
    session.run(f"CREATE (:{label})-[:TO]->(:{label})").consume()
    counters = session.run(f"MATCH (n:{label}) DETACH DELETE n").consume().counters
    assert counters.nodes_deleted == 2
    assert counters.relationships_deleted == 1
    assert counters.nodes_created == 0


def test_counters_of_a_read_are_empty(session: Session) -> None:
    counters = session.run("RETURN 1").consume().counters
    assert not counters.contains_updates
    assert not counters.contains_system_updates


def test_a_write_that_returns_rows_is_a_read_and_write(
    session: Session, label: str
) -> None:
    assert session.run(f"CREATE (n:{label}) RETURN n").consume().query_type == "rw"


def test_a_summary_describes_server_database_and_query(session: Session) -> None:
    summary = session.run("RETURN $x AS x", x=1).consume()
    assert summary.server.agent.startswith("Neo4j/")
    assert summary.server.protocol_version >= (4, 4)
    assert summary.database == "neo4j"
    assert summary.query == "RETURN $x AS x"
    assert summary.parameters == {"x": 1}
    assert isinstance(summary.result_available_after, int)
    assert isinstance(summary.result_consumed_after, int)
    assert summary.result_available_after >= 0
    assert summary.result_consumed_after >= 0


def test_an_empty_result_still_knows_its_keys(session: Session, label: str) -> None:
    result = session.run(f"MATCH (n:{label}) RETURN n.a AS a, n.b AS b")
    assert list(result.keys()) == ["a", "b"]
    assert list(result) == []
    assert session.run(f"MATCH (n:{label}) RETURN n").single() is None


def test_a_write_without_return_has_no_keys(session: Session, label: str) -> None:
    result = session.run(f"CREATE (:{label})")
    assert list(result.keys()) == []
    assert list(result) == []


def test_unnamed_columns_are_called_like_their_expression(session: Session) -> None:
    assert list(session.run("RETURN 1 + 1, 'a'").keys()) == ["1 + 1", "'a'"]


def test_single_demands_exactly_one_record(session: Session) -> None:
    with pytest.raises(ResultNotSingleError):
        session.run("UNWIND [1, 2] AS n RETURN n").single(strict=True)
    assert session.run("RETURN 1 AS n").single(strict=True).data() == {"n": 1}


def test_data_turns_records_into_dictionaries(session: Session) -> None:
    result = session.run("UNWIND [1, 2] AS n RETURN n, [n] AS list")
    assert result.data() == [{"n": 1, "list": [1]}, {"n": 2, "list": [2]}]


def test_execute_query_returns_records_summary_and_keys(driver: Driver) -> None:
    answer = driver.execute_query(
        "UNWIND $xs AS x RETURN x, x * 2 AS double", xs=[1, 2]
    )
    assert answer.keys == ["x", "double"]
    assert [record.values() for record in answer.records] == [[1, 2], [2, 4]]
    assert answer.summary.query_type == "r"


def test_execute_query_can_read_through_a_reader(driver: Driver, label: str) -> None:
    query = f"MATCH (n:{label}) RETURN count(n) AS count"
    count = driver.execute_query(
        query,
        routing_=neo4j.RoutingControl.READ,
        database_="neo4j",
        result_transformer_=lambda result: result.single(strict=True)["count"],
    )
    assert count == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_filtered_notifications_stay_away(
    open_driver: Callable[..., Driver], label: str
) -> None:
    quiet = open_driver(notifications_min_severity="OFF")
    summary = quiet.execute_query(f"MATCH (n:{label}) RETURN n").summary
    assert not summary.summary_notifications


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_session_may_disable_one_category_of_notifications(
    driver: Driver, label: str
) -> None:
    with driver.session(notifications_disabled_categories=["UNRECOGNIZED"]) as session:
        summary = session.run(f"MATCH (n:{label}) RETURN n").consume()
    assert not summary.summary_notifications
