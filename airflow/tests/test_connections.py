"""The connection classes on a real server, through a relay that counts and fails on demand."""

import logging
import os
import threading
import uuid

import neo4j_connections as connections
import neo4j_monitor as monitor
import pytest
from neo4j.exceptions import AuthError, ServiceUnavailable
from process import Process

REUSED = "🍌 Improved: reusing existing sync driver for root"


def test_problematic_makes_a_driver_for_each_call_and_closes_none(relay, problematic, caplog):
    with caplog.at_level(logging.INFO), problematic:
        for _ in range(3):
            problematic.run(problematic.driver(), "RETURN 1")
    assert problematic.created == len(relay.connections) == problematic.open_drivers() == 3
    assert not any(connection.is_closed_by_client for connection in relay.connections)
    about_to = "🍌 DEBUG: about to create NEW driver for alias 'root' (THIS IS THE PROBLEM!)🍌🍌🍌"
    created = "🍌 Problematic: created new driver for alias 'root'"
    assert caplog.messages == [about_to, created] * 3


def test_improved_reuses_one_driver_and_says_so_each_time(relay, improved, caplog):
    with caplog.at_level(logging.INFO):
        used = {improved.driver() for _ in range(5)}
    assert len(used) == improved.created == len(relay.connections) == 1
    assert caplog.messages.count(REUSED) == 4


def test_thirty_threads_get_one_driver(relay, improved):
    start, drivers = threading.Barrier(30), []

    def ask():
        start.wait()
        drivers.append(improved.driver())

    in_threads(ask, 30)
    assert len(drivers) == 30
    assert len(set(drivers)) == improved.created == len(relay.connections) == 1


def test_objects_with_the_same_settings_share_a_driver_until_the_last_is_closed(
    relay, relayed, identity
):
    one, other = (connections.ImprovedDatabaseConnection(relayed, identity) for _ in range(2))
    driver = one.driver()
    assert other.driver() is driver
    one.close()
    assert other.run(driver, "RETURN 1 AS x")[0]["x"] == 1
    other.close()
    relay.wait_for(lambda: relay.connections[0].is_closed_by_client)
    assert len(relay.connections) == relay.connections[0].goodbyes == 1


def test_each_alias_and_each_task_has_a_driver_of_its_own(relayed, identity, improved):
    values = dict(vars(identity), task="call_neo4j[4]")
    with connections.ImprovedDatabaseConnection(relayed, connections.Identity(**values)) as other:
        drivers = {improved.driver("root"), improved.driver("other"), other.driver("root")}
    assert len(drivers) == 3


def test_a_check_is_no_round_trip_per_call(relay, improved, monkeypatch):
    monkeypatch.setattr(connections, "CHECK_EVERY_S", 3600)
    improved.driver()
    before = len(relay.connections[0].sent)
    for _ in range(20):
        improved.driver()
    assert len(relay.connections[0].sent) == before
    monkeypatch.setattr(connections, "CHECK_EVERY_S", 0)
    improved.driver()
    assert len(relay.connections[0].sent) > before


def test_a_driver_that_fails_its_check_is_closed_and_replaced(improved, always_check, monkeypatch):
    first = improved.driver()
    monkeypatch.setattr(first, "verify_connectivity", failing(ServiceUnavailable("broken")))
    second = improved.driver()
    assert second is not first
    assert improved.run(second, "RETURN 1 AS x")[0]["x"] == 1
    assert is_closed(first)


def test_a_check_without_an_answer_ends_and_the_driver_is_replaced(
    relay, improved, always_check, monkeypatch, caplog
):
    monkeypatch.setattr(connections, "CHECK_TIMEOUT_S", 0.2)
    first = improved.driver()
    relay.freeze()
    second = improved.driver()
    assert second is not first and len(relay.connections) == 2
    assert "had no answer within" in caplog.text
    assert not is_closed(first), "threads that still use it may finish"
    improved.close()
    assert is_closed(first) and is_closed(second)


def test_a_failed_query_makes_the_next_use_check(improved, monkeypatch):
    monkeypatch.setattr(connections, "CHECK_EVERY_S", 3600)
    first = improved.driver()
    with pytest.raises(Exception, match="(?i)syntax|invalid|unexpected"):
        improved.run(first, "THIS IS NO CYPHER")
    assert improved.driver() is first, "the server is well, and so is the driver"
    monkeypatch.setattr(first, "verify_connectivity", failing(ServiceUnavailable("broken")))
    assert improved.driver() is first
    with pytest.raises(Exception, match="(?i)syntax|invalid|unexpected"):
        improved.run(first, "THIS IS NO CYPHER")
    assert improved.driver() is not first


def test_server_gone_and_back(relay, improved, always_check):
    first = improved.driver()
    relay.refuse()
    for _ in range(2):
        with pytest.raises(ServiceUnavailable):
            improved.driver()
    assert improved.open_drivers() == 0 and is_closed(first)
    relay.serve()
    second = improved.driver()
    assert second is not first
    assert improved.run(second, "RETURN 1 AS x")[0]["x"] == 1


def test_a_refused_login_is_tried_once_by_all_threads_together(relay, relayed, identity):
    # Neo4j locks a user after three failures, so this one is nobody's.
    nobody = connections.Settings(relayed.uri, f"nobody_{uuid.uuid4().hex}", "wrong")
    errors = []

    def ask():
        try:
            database.driver()
        except AuthError as error:
            errors.append(error.code)

    with connections.ImprovedDatabaseConnection(nobody, identity) as database:
        in_threads(ask, 10)
        in_threads(ask, 10)
    assert errors == ["Neo.ClientError.Security.Unauthorized"] * 20
    assert len(relay.connections) == 1
    with pytest.raises(AuthError):
        database.driver()
    assert len(relay.connections) == 2, "an object that was closed starts afresh"
    database.close()


def test_a_login_refused_at_the_check_is_not_repeated(improved, always_check, monkeypatch):
    monkeypatch.setattr(improved.driver(), "verify_connectivity", failing(AuthError("changed")))
    for _ in range(3):
        with pytest.raises(AuthError):
            improved.driver()
    assert improved.created == 1


def test_task_end_closes_every_connection_even_when_the_task_fails(relay, relayed, identity):
    with pytest.raises(RuntimeError), connections.ImprovedDatabaseConnection(
        relayed, identity
    ) as database:
        database.run(database.driver(), "RETURN 1")
        raise RuntimeError
    relay.wait_for(lambda: all(c.is_closed_by_client for c in relay.connections))
    assert [c.goodbyes for c in relay.connections] == [1]


def test_process_end_closes_what_nobody_closed(relay, relayed):
    with Process("database.run(database.driver(), 'RETURN 1')", relayed):
        pass
    relay.wait_for(lambda: relay.connections[0].is_closed_by_client)
    assert [c.goodbyes for c in relay.connections] == [1]


def test_the_server_sees_task_and_dag(settings, identity):
    with connections.ImprovedDatabaseConnection(settings, identity) as database:
        driver = database.driver()
        listed = database.run(driver, "CALL dbms.listConnections()")
        transactions = database.run(driver, "SHOW TRANSACTIONS YIELD connectionId, metaData")
    agent = (
        f"airflow/2.8.1 (dag={identity.dag}; run=run 1; task=call_neo4j[3]; try=1) neo4j-python/"
    )
    mine = [c["connectionId"] for c in listed if c["userAgent"].startswith(agent)]
    assert len(mine) == 1
    metadata = {t["connectionId"]: t["metaData"] for t in transactions}[mine[0]]
    assert metadata == {
        "app": "airflow",
        "dag": identity.dag,
        "run": "run 1",
        "task": "call_neo4j[3]",
        "try": 1,
    }


def test_names_with_separators_and_foreign_letters_stay_one_readable_user_agent():
    odd = connections.Identity("3.3.2", "dag; (x)", "männlich\nrun", "t", 2)
    assert "(dag=dag_ _x_; run=m_nnlich_run; task=t; try=2) neo4j-python/" in odd.user_agent
    assert monitor.attribution(odd.user_agent) == ("dag_ _x_", "t")
    assert odd.metadata["run"] == "männlich\nrun"


@pytest.mark.parametrize(
    ("index", "name"), [(None, "count"), (-1, "count"), (0, "count[0]"), (17, "count[17]")]
)
def test_a_mapped_task_carries_its_index(index, name):
    class Instance:
        dag_id, run_id, task_id, map_index, try_number = "d", "r", "count", index, 1

    assert connections.Identity.of("3.3.2", Instance).task == name


def test_resources_count_drivers_connections_memory_and_cpu(improved, problematic):
    improved.run(improved.driver(), "RETURN 1")
    for _ in range(2):
        problematic.run(problematic.driver(), "RETURN 1")
    used = improved.resources()
    assert (used["pid"], used["drivers"]) == (os.getpid(), 1)
    assert problematic.resources()["drivers"] == 2
    assert used["memory_bytes"] > 1024 * 1024 and used["cpu_s"] > 0
    # The relay's ends of these three are in this process too, and don't count.
    assert used["connections"] == (3 if connections.psutil else None)


def test_without_psutil_connections_are_not_counted_and_that_is_said(improved, monkeypatch, caplog):
    monkeypatch.setattr(connections, "psutil", None)
    assert improved.resources()["connections"] is None
    assert "psutil is not installed" in caplog.text


@pytest.fixture
def environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("NEO4J_", "BOLTBOUNCER_"))]:
        monkeypatch.delenv(name)
    return monkeypatch.setenv


def test_settings_come_from_the_environment(environment):
    environment("NEO4J_URI", "neo4j+s://db.example")
    environment("NEO4J_PASSWORD", " spaces stay ")
    settings = connections.Settings.from_environment()
    assert (settings.username, settings.password) == ("neo4j", " spaces stay ")
    assert (settings.database, settings.place) == (None, "db.example:7687")
    assert "spaces" not in repr(settings)


@pytest.mark.parametrize("name", ["NEO4J_URI", "NEO4J_PASSWORD"])
@pytest.mark.parametrize("value", [None, "", " "])
def test_a_missing_setting_is_named_in_one_line(environment, name, value):
    environment("NEO4J_URI", "bolt://db.example:7687")
    environment("NEO4J_PASSWORD", "secret")
    environment(name, value or "")
    with pytest.raises(connections.SettingsError) as caught:
        connections.Settings.from_environment()
    assert (
        str(caught.value) == f"{name} is not set: set it in the environment of the Airflow worker"
    )


@pytest.mark.parametrize(
    "uri",
    ["db.example", "http://db.example", "bolt://", "bolt://neo4j:hunter2@db", "bolt://db:99999"],
)
def test_what_is_no_neo4j_uri_is_refused_without_repeating_it(environment, uri):
    environment("NEO4J_POOLED_URI", uri)
    environment("NEO4J_PASSWORD", "hunter2")
    with pytest.raises(
        connections.SettingsError, match="^NEO4J_POOLED_URI is no Neo4j URI"
    ) as caught:
        connections.Settings.from_environment("NEO4J_POOLED_URI")
    assert "hunter2" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_package_is_named_with_what_to_install():
    with pytest.raises(connections.SettingsError, match="pip install no-such-thing==1"):
        connections.package("no_such_thing", "no-such-thing==1")


def test_nothing_secret_is_logged(relayed, identity, caplog):
    secret = f"secret_{uuid.uuid4().hex}"
    settings = connections.Settings(relayed.uri, f"nobody_{uuid.uuid4().hex}", secret)
    with caplog.at_level(logging.DEBUG), connections.ImprovedDatabaseConnection(
        settings, identity
    ) as database:
        with pytest.raises(AuthError) as caught:
            database.driver()
    assert secret not in caplog.text and secret not in str(caught.value)


def in_threads(target, count):
    threads = [threading.Thread(target=target) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


def failing(error):
    def fail(*_):
        raise error

    return fail


def is_closed(driver):
    # Neither driver version has a public way to ask that doesn't open a connection.
    return driver._closed
