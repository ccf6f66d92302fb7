"""Many clients at once: nobody gets another's answer and no write is lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from neo4j import AsyncGraphDatabase, Driver
from neo4j.exceptions import ClientError, DriverError


def test_fifty_open_transactions_each_get_their_own_answer(driver: Driver) -> None:
    everyone = threading.Barrier(50, timeout=60)

    def ask(i: int) -> int:
        with driver.session() as session, session.begin_transaction() as tx:
            everyone.wait()
            answer = tx.run("RETURN $i AS i", i=i).single(strict=True)["i"]
            everyone.wait()
            return answer

    with ThreadPoolExecutor(50) as threads:
        assert list(threads.map(ask, range(50))) == list(range(50))


def test_fifty_auto_commit_streams_keep_their_records_apart(driver: Driver) -> None:
    def ask(i: int) -> bool:
        with driver.session(fetch_size=5) as session:
            result = session.run("UNWIND range(1, 30) AS n RETURN $i + n AS x", i=i)
            return result.value() == [i + n for n in range(1, 31)]

    with ThreadPoolExecutor(50) as threads:
        assert all(threads.map(ask, range(0, 50_000, 1000)))


def test_twenty_writers_of_one_counter_lose_no_update(
    driver: Driver, label: str
) -> None:
    increment = f"MATCH (c:{label}) SET c.n = c.n + 1"
    driver.execute_query(f"CREATE (:{label} {{n: 0}})")

    def count_up(_: int) -> None:
        with driver.session() as session:
            for _ in range(5):
                session.execute_write(lambda tx: tx.run(increment).consume())

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(count_up, range(20)))
    records = driver.execute_query(f"MATCH (c:{label}) RETURN c.n AS n").records
    assert [record["n"] for record in records] == [100]


def test_twenty_writers_of_own_nodes_all_commit(
    driver: Driver, label: str, stored: Callable[[], int]
) -> None:
    def create(i: int) -> None:
        with driver.session() as session:
            query = f"CREATE (:{label} {{i: $i}})"
            session.execute_write(lambda tx: tx.run(query, i=i).consume())

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(create, range(20)))
    assert stored() == 20


def test_a_full_driver_pool_times_out_and_recovers(
    open_driver: Callable[..., Driver],
) -> None:
    small = open_driver(max_connection_pool_size=1, connection_acquisition_timeout=2)
    with small.session() as first, small.session() as second:
        with first.begin_transaction() as tx:
            with pytest.raises((ClientError, DriverError), match="within 2s"):
                second.begin_transaction()
            assert tx.run("RETURN 1 AS n").value() == [1]
            tx.commit()
        assert second.run("RETURN 2 AS n").value() == [2]


def test_async_sessions_each_get_their_own_answer(
    uri: str, auth: tuple[str, str]
) -> None:
    async def ask_all() -> list[int]:
        async with AsyncGraphDatabase.driver(uri, auth=auth) as driver:

            async def ask(i: int) -> int:
                async with driver.session() as session:
                    result = await session.run("RETURN $i AS i", i=i)
                    return (await result.single(strict=True))["i"]

            return await asyncio.gather(*(ask(i) for i in range(20)))

    assert asyncio.run(ask_all()) == list(range(20))
