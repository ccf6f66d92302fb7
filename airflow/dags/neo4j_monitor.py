"""What connections cost: what a task saw of its own, and who holds how many at the server.

A task sees no further than its process, so the second is asked of the server, and of the pooler if
there is one. Nothing here imports Airflow.
"""

import http.client
import json
import logging
import os
import re
import time
import urllib.error
import urllib.request
from collections import defaultdict
from urllib.parse import urlsplit

from neo4j_connections import (
    ALIAS,
    ImprovedDatabaseConnection,
    Settings,
    SettingsError,
    connections_to,
    package,
    printable,
    process_resources,
    psutil,
    variable,
)

log = logging.getLogger(__name__)

ADMIN_TIMEOUT_S = 10.0
FORBIDDEN = "Neo.ClientError.Security.Forbidden"
ADMIN_ANSWER_MAX = 32 * 1024 * 1024
RESOURCES = (
    "process %(pid)d: %(drivers)d drivers, %(connections)s connections, "
    "%(memory_bytes)d bytes, %(cpu_s).2f s of CPU"
)
LIST_CONNECTIONS = "CALL dbms.listConnections()"
SHOW_TRANSACTIONS = "SHOW TRANSACTIONS YIELD connectionId"


_imported_at = time.time()


class MonitorError(Exception):
    """Who could not be asked, and why, in one line."""


class Outcome:
    """What one task saw of its calls; `numbers()` become its XCom, as JSON."""

    def __init__(self):
        self.first_answer_ms = None
        self.connecting_ms = []  # One for each call, also for one that failed.
        self.query_ms = []
        self.failures = {}
        self.created = 0
        self.connections = 0

    def call(self, database, query, calls, hold_ms):
        """Asks `calls` times, each followed by the work that a task does with an answer."""
        package("neo4j")  # Imported here, or the first connection would seem to take its time.
        try:
            for _ in range(calls):
                self._call_once(database, query)
                time.sleep(hold_ms / 1000)
        finally:
            self.created = database.created
            log.info(RESOURCES, database.resources())

    def failed(self, error):
        """Notes the failure under Neo4j's code, or under the exception's name if it has none."""
        self.failures = {getattr(error, "code", None) or type(error).__name__: 1}

    def numbers(self):
        used = process_resources()
        return {
            "drivers_created": self.created,
            "first_answer_ms": self.first_answer_ms,
            "connecting_ms": self.connecting_ms,
            "query_ms": self.query_ms,
            "failures": self.failures,
            "cpu_s": used["cpu_s"],
            "memory_bytes": used["memory_bytes"],
            "pid": used["pid"],
            "connections": self.connections,
        }

    def _call_once(self, database, query):
        began = time.perf_counter()
        try:
            driver = database.driver(ALIAS)
        finally:
            connected = time.perf_counter()
            self.connecting_ms.append(_ms(connected - began))
        database.run(driver, query)
        self.query_ms.append(_ms(time.perf_counter() - connected))
        if self.first_answer_ms is None:
            self.first_answer_ms = round(process_age_ms(), 3)
        open_now = connections_to(database.settings.port) or 0
        self.connections = max(self.connections, open_now)


def _ms(seconds):
    return round(seconds * 1000, 3)


def process_age_ms():
    """Milliseconds since this process was started or forked."""
    try:
        # Exact to 10 ms, where psutil's time of birth is a whole second off at worst.
        with open("/proc/self/stat", "rb") as stat:
            ticks = int(stat.read().rpartition(b")")[2].split()[19])
        since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
        return (since_boot - ticks / os.sysconf("SC_CLK_TCK")) * 1000
    except (OSError, AttributeError):
        began = psutil.Process().create_time() if psutil else _imported_at
        return (time.time() - began) * 1000


def connection_report(identity):
    """Logs a table by DAG and task, warns above NEO4J_CONNECTIONS_WARN_ABOVE, returns the numbers.

    The monitor's own connection is among those counted. Who can't be asked costs one line in the
    log. Raises SettingsError for wrong settings, and MonitorError if nobody could be asked.
    """
    settings = Settings.from_environment()
    admin = Admin.from_environment()
    limit = warn_above()
    errors = []
    server = _answer_or_note(errors, ask_server, settings, identity)
    pooler = _answer_or_note(errors, ask_pooler, admin) if admin else None
    if server is None and pooler is None:
        raise MonitorError("; ".join(errors))
    rows = by_task(server, pooler)
    log.info("Connections to Neo4j by DAG and task:\n%s", table(rows, pooler is not None))
    report = {
        "server": server and server_numbers(server),
        "pooler": pooler and pooler_numbers(pooler),
        "by_task": rows,
        "warn_above": limit,
        "above": False,
        "errors": errors,
    }
    if server is not None and len(server["connections"]) > limit:
        report["above"] = True
        log.warning(
            "%d connections to Neo4j, more than %d (NEO4J_CONNECTIONS_WARN_ABOVE); "
            "the most, %d, are held by %s %s",
            len(server["connections"]),
            limit,
            *(rows[0][name] for name in ("connections", "dag", "task")),
        )
    return report


def warn_above():
    """NEO4J_CONNECTIONS_WARN_ABOVE, a number of connections."""
    text = variable("NEO4J_CONNECTIONS_WARN_ABOVE", "50")
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise SettingsError("NEO4J_CONNECTIONS_WARN_ABOVE is no number: write 50, for example")
    return int(text)


def ask_server(settings, identity):
    """The server's Bolt connections and the ids of those in a transaction.

    Raises MonitorError if it can't be reached or answers neither question to this user.
    """
    exceptions = package("neo4j").exceptions
    try:
        with ImprovedDatabaseConnection(settings, identity) as database:
            driver = database.driver("monitor")
            listed = database.run(driver, LIST_CONNECTIONS)
            busy = database.run(driver, SHOW_TRANSACTIONS)
    except exceptions.Neo4jError as error:
        raise MonitorError(refusal(error, settings)) from None
    except (exceptions.DriverError, OSError, ValueError) as error:
        reason = type(error).__name__
        raise MonitorError(f"Neo4j at {settings.place} can't be reached ({reason})") from None
    return {
        "connections": [c for c in map(dict, listed) if c["connectionId"].startswith("bolt-")],
        "in_use": {record["connectionId"] for record in busy},
    }


def refusal(error, settings):
    where, user = f"Neo4j at {settings.place}", repr(settings.username)
    if isinstance(error, package("neo4j").exceptions.AuthError):
        return f"{where} refused the login of {user}: check NEO4J_PASSWORD ({error.code})"
    if error.code == FORBIDDEN:
        return f"{where} lets {user} list no connections: take a user who may ({error.code})"
    return f"{where} does not list its connections to {user} ({error.code})"


class Admin:
    """The pooler's admin pages: their address, and the token they may ask for."""

    def __init__(self, url, token=None):
        self.url = url.rstrip("/")
        self.token = token

    @classmethod
    def from_environment(cls):
        """None if BOLTBOUNCER_ADMIN_URL is not set."""
        url = variable("BOLTBOUNCER_ADMIN_URL", "")
        if not url:
            return None
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable or " " in url:
            raise SettingsError("BOLTBOUNCER_ADMIN_URL is no web address: write http://host:9090")
        return cls(url, variable("BOLTBOUNCER_ADMIN_TOKEN", ""))

    def get(self, page):
        """A list from the pooler. Raises MonitorError with one line that says what to do."""
        request = urllib.request.Request(self.url + page)
        if self.token:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=ADMIN_TIMEOUT_S) as answer:
                lines = json.loads(answer.read(ADMIN_ANSWER_MAX))
        except urllib.error.HTTPError as error:
            fix = ": check BOLTBOUNCER_ADMIN_TOKEN" if error.code in (401, 403) else ""
            line = f"BoltBouncer refused {self.url}{page} ({error.code}){fix}"
            raise MonitorError(line) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise MonitorError(f"BoltBouncer at {self.url} can't be reached ({reason})") from None
        except ValueError:
            lines = None
        if not isinstance(lines, list):
            line = f"{self.url}{page} is not BoltBouncer's: check BOLTBOUNCER_ADMIN_URL"
            raise MonitorError(line)
        return lines


def ask_pooler(admin):
    return {"pools": admin.get("/api/v1/pools"), "clients": admin.get("/api/v1/clients")}


def by_task(server, pooler):
    """One row for each DAG and task, or foreign user agent; those with most connections first."""
    rows = defaultdict(lambda: {"connections": 0, "in_use": 0, "clients": 0, "waiting": 0})
    for connection in server["connections"] if server else ():
        row = rows[attribution(connection["userAgent"])]
        row["connections"] += 1
        row["in_use"] += connection["connectionId"] in server["in_use"]
    for client in pooler["clients"] if pooler else ():
        row = rows[attribution(client["user_agent"])]
        row["clients"] += 1
        row["waiting"] += client["state"] == "cl_waiting"
    named = [dict(row, dag=dag, task=task) for (dag, task), row in rows.items()]

    def most_first(row):
        return -row["connections"], -row["clients"], row["dag"], row["task"]

    return sorted(named, key=most_first)


def attribution(user_agent):
    """The DAG and the task behind a user agent, all map indexes being one task.

    A user agent that is none of ours is shown by its own name, with no task.
    """
    ours = r"airflow/\S+ \(dag=([^;]*); run=[^;]*; task=([^;)]*); try=\d+\)"
    match = re.match(ours, user_agent or "")
    if match is None:
        return printable(user_agent or "unknown")[:60], "-"
    # Anybody may call itself so: a name is made printable here, too.
    return printable(match.group(1)), re.sub(r"\[\d+\]$", "", printable(match.group(2)))


def server_numbers(server):
    """`opened` is the highest number so far: Neo4j gives every connection the next one."""
    ids = [connection["connectionId"] for connection in server["connections"]]
    in_use = sum(connection in server["in_use"] for connection in ids)
    opened = max((int(i[len("bolt-") :]) for i in ids), default=0)
    return {"connections": len(ids), "in_use": in_use, "idle": len(ids) - in_use, "opened": opened}


def pooler_numbers(pooler):
    summed = ("clients", "cl_waiting", "sv_active", "sv_idle", "sv_login")
    numbers = {name: sum(pool[name] for pool in pooler["pools"]) for name in summed}
    numbers["maxwait_s"] = max((pool["maxwait_s"] for pool in pooler["pools"]), default=0.0)
    return numbers


def table(rows, with_pooler):
    """Text with a line for each row and the sums; the pooler's columns only if it was asked."""
    counts = ["connections", "in_use"] + (["clients", "waiting"] if with_pooler else [])
    lines = [["DAG", "task"] + [name.replace("_", " ") for name in counts]]
    lines += [[row["dag"], row["task"]] + [str(row[name]) for name in counts] for row in rows]
    lines.append(["total", ""] + [str(sum(row[name] for row in rows)) for name in counts])
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(_aligned(line, widths) for line in lines)


def _aligned(line, widths):
    names = [cell.ljust(width) for cell, width in zip(line[:2], widths)]
    counts = [cell.rjust(width) for cell, width in zip(line[2:], widths[2:])]
    return "  ".join(names + counts)


def _answer_or_note(errors, ask, *of):
    try:
        return ask(*of)
    except MonitorError as error:
        log.warning("%s", error)
        errors.append(str(error))
        return None
