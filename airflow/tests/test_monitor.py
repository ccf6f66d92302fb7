"""The outcome of a task, and the monitor's questions to the server and to the pooler."""

import json
import logging
import os
import re
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import neo4j_connections as connections
import neo4j_monitor as monitor
import pytest
from neo4j.exceptions import ClientError, Forbidden

PROGRAM = Path(__file__).resolve().parents[2] / "target"


@pytest.fixture
def environment(monkeypatch, settings):
    """The settings of a monitor that may ask the server under test, and nothing else."""
    for name in [name for name in os.environ if name.startswith(("NEO4J_", "BOLTBOUNCER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NEO4J_URI", settings.uri)
    monkeypatch.setenv("NEO4J_USERNAME", settings.username)
    monkeypatch.setenv("NEO4J_PASSWORD", settings.password)
    return monkeypatch.setenv


@pytest.fixture
def watcher(identity):
    """Who asks; a task of another DAG than those that are counted."""
    return connections.Identity("2.8.1", f"watch_{identity.dag}", "r", "count_connections", 1)


@pytest.fixture
def holding(problematic):
    """Three connections of a task, one of them in a transaction."""
    drivers = [problematic.driver() for _ in range(3)]
    with drivers[0].session() as session, session.begin_transaction() as transaction:
        transaction.run("RETURN 1").consume()
        yield problematic


def test_outcome_of_a_task_that_worked(improved):
    outcome = monitor.Outcome()
    outcome.call(improved, "RETURN 1", calls=3, hold_ms=0)
    numbers = outcome.numbers()
    assert list(numbers) == [
        "drivers_created",
        "first_answer_ms",
        "connecting_ms",
        "query_ms",
        "failures",
        "cpu_s",
        "memory_bytes",
        "pid",
        "connections",
    ]
    assert (numbers["drivers_created"], numbers["pid"], numbers["failures"]) == (1, os.getpid(), {})
    assert len(numbers["query_ms"]) == 3 and min(numbers["query_ms"]) > 0
    assert len(numbers["connecting_ms"]) == 3
    assert 0 < numbers["connecting_ms"][0] < numbers["first_answer_ms"]
    assert numbers["connections"] == (1 if connections.psutil else 0)
    assert json.loads(json.dumps(numbers)) == numbers


def test_outcome_of_a_task_that_failed(relay, improved):
    relay.refuse()
    outcome = monitor.Outcome()
    with pytest.raises(Exception) as caught:
        outcome.call(improved, "RETURN 1", calls=3, hold_ms=0)
    outcome.failed(caught.value)
    numbers = outcome.numbers()
    assert numbers["failures"] == {"ServiceUnavailable": 1}
    assert (numbers["first_answer_ms"], numbers["query_ms"]) == (None, [])
    assert len(numbers["connecting_ms"]) == 1
    assert numbers["drivers_created"] == 1


def test_outcome_names_a_failure_by_neo4js_code(improved):
    outcome = monitor.Outcome()
    with pytest.raises(ClientError) as caught:
        outcome.call(improved, "THIS IS NO CYPHER", calls=1, hold_ms=0)
    outcome.failed(caught.value)
    assert outcome.numbers()["failures"] == {"Neo.ClientError.Statement.SyntaxError": 1}


def test_outcome_logs_what_the_process_uses(improved, caplog):
    with caplog.at_level(logging.INFO):
        monitor.Outcome().call(improved, "RETURN 1", calls=1, hold_ms=0)
    seen = r"\d+" if connections.psutil else "None"
    line = rf"process {os.getpid()}: 1 drivers, {seen} connections, \d+ bytes, [\d.]+ s of CPU"
    assert re.fullmatch(line, caplog.messages[-1])


def test_age_is_counted_from_the_fork():
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(told, b"%.3f" % monitor.process_age_ms())
        os._exit(0)
    os.waitpid(child, 0)
    age = float(os.read(ready, 100))
    os.close(ready)
    os.close(told)
    assert 0 <= age < monitor.process_age_ms()


def test_age_agrees_with_psutil():
    psutil = pytest.importorskip("psutil")
    before = time.time() - psutil.Process().create_time()
    age = monitor.process_age_ms() / 1000
    after = time.time() - psutil.Process().create_time()
    assert before - 1.5 <= age <= after + 1.5


def test_the_server_is_counted_by_dag_and_task(environment, holding, watcher, caplog):
    with caplog.at_level(logging.INFO):
        report = monitor.connection_report(watcher)
    dag = holding.identity.dag
    assert row_of(report, dag) == {
        "dag": dag,
        "task": "call_neo4j",
        "connections": 3,
        "in_use": 1,
        "clients": 0,
        "waiting": 0,
    }
    assert row_of(report, watcher.dag)["connections"] == 1
    server = report["server"]
    assert server["connections"] == sum(row["connections"] for row in report["by_task"]) >= 4
    assert server["idle"] == server["connections"] - server["in_use"] >= 2
    assert server["opened"] >= server["connections"]
    assert (report["pooler"], report["errors"], report["above"]) == (None, [], False)
    assert re.search(rf"^{dag} +call_neo4j +3 +1$", caplog.text, re.MULTILINE)
    assert re.search(r"^DAG +task +connections +in use$", caplog.text, re.MULTILINE)
    assert json.loads(json.dumps(report)) == report


def test_a_driver_without_our_user_agent_is_shown_by_its_own_name(environment, settings, watcher):
    import neo4j

    auth = (settings.username, settings.password)
    agent = f"somebody/{watcher.dag}"[:60]
    with neo4j.GraphDatabase.driver(settings.uri, auth=auth, user_agent=agent) as driver:
        driver.verify_connectivity()
        report = monitor.connection_report(watcher)
    assert (row_of(report, agent)["task"], row_of(report, agent)["connections"]) == ("-", 1)


def test_attribution_gathers_map_indexes_and_keeps_foreign_names():
    agent = "airflow/3.3.2 (dag=d; run=r; task=call_neo4j[99]; try=1) neo4j-python/6.4.1"
    assert monitor.attribution(agent) == ("d", "call_neo4j")
    assert monitor.attribution("neo4j-browser/v5") == ("neo4j-browser/v5", "-")
    assert monitor.attribution("evil\nline\x1b[0m") == ("evil_line_[0m", "-")
    forged = "airflow/3 (dag=d\x1b[2J; run=r; task=a\nb; try=1)"
    assert monitor.attribution(forged) == ("d_[2J", "a_b")
    assert monitor.attribution(None) == ("unknown", "-")


@pytest.mark.parametrize(("limit", "warns"), [("3", True), ("100000", False)])
def test_it_warns_above_the_threshold(environment, holding, watcher, caplog, limit, warns):
    environment("NEO4J_CONNECTIONS_WARN_ABOVE", limit)
    report = monitor.connection_report(watcher)
    assert (report["above"], report["warn_above"]) == (warns, int(limit))
    count = report["server"]["connections"]
    assert [
        w.startswith(f"{count} connections to Neo4j, more than 3 ") for w in warnings_of(caplog)
    ] == ([True] if warns else [])


def test_a_threshold_that_is_no_number_is_refused(environment, watcher):
    environment("NEO4J_CONNECTIONS_WARN_ABOVE", "many")
    with pytest.raises(
        connections.SettingsError, match="NEO4J_CONNECTIONS_WARN_ABOVE is no number"
    ):
        monitor.connection_report(watcher)


def test_the_poolers_clients_are_counted_beside_the_servers(
    environment, holding, watcher, pooler_pages, caplog
):
    agent = holding.identity.user_agent
    pooler_pages["/api/v1/pools"] = [POOL, dict(POOL, user="other", cl_waiting=0, maxwait_s=0.25)]
    pooler_pages["/api/v1/clients"] = [
        {"id": 1, "state": "cl_waiting", "user_agent": agent},
        {"id": 2, "state": "cl_active", "user_agent": agent},
        {"id": 3, "state": "cl_login", "user_agent": None},
    ]
    environment("BOLTBOUNCER_ADMIN_URL", pooler_pages["url"] + "/")
    environment("BOLTBOUNCER_ADMIN_TOKEN", pooler_pages["token"])
    with caplog.at_level(logging.INFO):
        report = monitor.connection_report(watcher)
    row = row_of(report, holding.identity.dag)
    assert (row["connections"], row["clients"], row["waiting"]) == (3, 2, 1)
    assert row_of(report, "unknown")["clients"] >= 1
    assert report["pooler"] == {
        "clients": 6,
        "cl_waiting": 1,
        "sv_active": 4,
        "sv_idle": 2,
        "sv_login": 0,
        "maxwait_s": 0.5,
    }
    table = rf"^{holding.identity.dag} +call_neo4j +3 +1 +2 +1$"
    assert re.search(table, caplog.text, re.MULTILINE)


def test_a_pooler_that_asks_for_another_token_costs_one_line(
    environment, watcher, pooler_pages, caplog
):
    environment("BOLTBOUNCER_ADMIN_URL", pooler_pages["url"])
    report = monitor.connection_report(watcher)
    page = f"{pooler_pages['url']}/api/v1/pools"
    line = f"BoltBouncer refused {page} (401): check BOLTBOUNCER_ADMIN_TOKEN"
    assert report["errors"] == warnings_of(caplog) == [line]
    assert report["server"]["connections"] >= 1 and report["pooler"] is None


@pytest.mark.parametrize("page", ["not json", json.dumps({"pools": 1})])
def test_a_page_that_is_not_the_poolers_costs_one_line(environment, watcher, pooler_pages, page):
    pooler_pages["/api/v1/pools"] = page
    environment("BOLTBOUNCER_ADMIN_URL", pooler_pages["url"])
    environment("BOLTBOUNCER_ADMIN_TOKEN", pooler_pages["token"])
    (line,) = monitor.connection_report(watcher)["errors"]
    assert line.endswith("/pools is not BoltBouncer's: check BOLTBOUNCER_ADMIN_URL")


def test_a_pooler_out_of_reach_costs_one_line(environment, watcher, caplog):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    environment("BOLTBOUNCER_ADMIN_URL", url)
    report = monitor.connection_report(watcher)
    (line,) = report["errors"]
    assert line.startswith(f"BoltBouncer at {url} can't be reached (") and "\n" not in line
    assert warnings_of(caplog) == [line]
    assert report["server"]["connections"] >= 1


def test_an_admin_address_that_is_no_web_address_is_refused(environment, watcher):
    environment("BOLTBOUNCER_ADMIN_URL", "file:///etc/passwd")
    with pytest.raises(connections.SettingsError, match="BOLTBOUNCER_ADMIN_URL is no web address"):
        monitor.connection_report(watcher)


@pytest.mark.parametrize("uri", ["bolt://127.0.0.1:1", "neo4j://127.0.0.1:1", "bolt://no.invalid"])
def test_a_server_out_of_reach_fails_with_one_line(environment, watcher, uri):
    environment("NEO4J_URI", uri)
    with pytest.raises(monitor.MonitorError, match=r"^Neo4j at \S+:\d+ can't be reached \(\w+\)$"):
        monitor.connection_report(watcher)


def test_a_server_out_of_reach_leaves_the_pooler_to_be_asked(environment, watcher, pooler_pages):
    pooler_pages["/api/v1/pools"], pooler_pages["/api/v1/clients"] = [POOL], []
    environment("NEO4J_URI", "bolt://127.0.0.1:1")
    environment("BOLTBOUNCER_ADMIN_URL", pooler_pages["url"])
    environment("BOLTBOUNCER_ADMIN_TOKEN", pooler_pages["token"])
    report = monitor.connection_report(watcher)
    assert (report["server"], report["pooler"]["clients"], len(report["errors"])) == (None, 3, 1)


def test_a_refused_login_fails_with_one_line(environment, watcher):
    environment("NEO4J_USERNAME", f"nobody_{watcher.dag}")
    with pytest.raises(monitor.MonitorError, match="refused the login of 'nobody_") as caught:
        monitor.connection_report(watcher)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (Forbidden, monitor.FORBIDDEN, "lets '[^']+' list no connections: take a user who may"),
        (ClientError, "Neo.ClientError.Procedure.ProcedureNotFound", "does not list its conn"),
    ],
)
def test_a_user_who_may_not_ask_gets_one_line(environment, watcher, monkeypatch, error, code, line):
    # Neo4j Community grants everything to everybody, so the refusal is made here.
    def refuse(self, driver, query):
        refusal = error("not allowed")
        monkeypatch.setattr(error, "code", code)
        raise refusal

    monkeypatch.setattr(connections.ImprovedDatabaseConnection, "run", refuse)
    with pytest.raises(monitor.MonitorError, match=rf"{line}.* \({code}\)$") as caught:
        monitor.connection_report(watcher)
    assert "\n" not in str(caught.value)


def test_a_real_pooler_is_asked(environment, identity, settings, watcher):
    program = next(filter(Path.is_file, PROGRAM.glob("*/boltbouncer")), None)
    if program is None:
        pytest.skip("boltbouncer is not built")
    words = [program, "serve", "--upstream", settings.uri]
    words += ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    pooler = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        addresses = [pooler.stdout.readline().strip() for _ in range(2)]
        uri = next(a for a in addresses if a.startswith("bolt"))
        environment("BOLTBOUNCER_ADMIN_URL", next(a for a in addresses if a.startswith("http")))
        pooled = connections.Settings(uri, settings.username, settings.password)
        with connections.ImprovedDatabaseConnection(pooled, identity) as database:
            database.run(database.driver(), "RETURN 1")
            report = monitor.connection_report(watcher)
        assert report["errors"] == []
        assert row_of(report, identity.dag)["clients"] == 1
        assert row_of(report, identity.dag)["connections"] == 0
        assert report["pooler"]["clients"] == 1
        assert report["pooler"]["sv_active"] + report["pooler"]["sv_idle"] == 1
    finally:
        pooler.terminate()
        pooler.communicate(timeout=60)


POOL = {
    "user": "neo4j",
    "clients": 3,
    "cl_waiting": 1,
    "sv_active": 2,
    "sv_idle": 1,
    "sv_login": 0,
    "maxwait_s": 0.5,
    "pool_mode": "transaction",
}


@pytest.fixture
def pooler_pages():
    """Admin pages to be filled, with their address as `url` and the token they want as `token`."""
    pages = {"token": "t0ken"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.headers.get("Authorization") == f"Bearer {pages['token']}"
            body = pages.get(self.path, "[]")
            body = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(200 if known else 401)
            self.end_headers()
            self.wfile.write(body if known else b"")

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        pages["url"] = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield pages
        server.shutdown()
        thread.join()


def warnings_of(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


def row_of(report, dag):
    (row,) = (row for row in report["by_task"] if row["dag"] == dag)
    return row
