"""Connections to Neo4j from Airflow tasks: the pattern that hurts and the one that helps.

Nothing here imports Airflow, and `neo4j` is imported at first use only, so that DAG files import
without it. Passwords, parameters and what queries return are never logged. Python 3.8 and later.
"""

import atexit
import ctypes
import importlib
import logging
import os
import re
import resource
import sys
import threading
import time
import weakref
from dataclasses import dataclass, field
from urllib.parse import urlsplit

try:
    import psutil
except ImportError:  # It comes with Airflow; other programs get fewer numbers.
    psutil = None

log = logging.getLogger(__name__)

ALIAS = "root"
SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
PORT = 7687

POOL = {
    # A task is one process that works on one thing at a time; the rest is for its threads.
    "max_connection_pool_size": 5,
    "connection_acquisition_timeout": 30,
    "connection_timeout": 10,
    # Many load balancers cut a connection after an hour, so the driver lets go of it before.
    "max_connection_lifetime": 50 * 60,
    "keep_alive": True,
}
ABOUT_TO_CREATE = "🍌 DEBUG: about to create NEW driver for alias '%s' (THIS IS THE PROBLEM!)🍌🍌🍌"
CHECK_EVERY_S = 5.0
CHECK_TIMEOUT_S = 5.0


class SettingsError(Exception):
    """What is missing or wrong in the environment, and the fix, in one line."""


def package(name, requirement=None):
    """Imports a package. Raises SettingsError, naming what to install."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise SettingsError(
            f"the Python package {name} is missing: pip install {requirement or name}"
        ) from None


def variable(name, default=None):
    """An environment variable; one that is empty counts as not set."""
    value = os.environ.get(name, "")
    if value.strip():
        return value
    if default is None:
        raise SettingsError(f"{name} is not set: set it in the environment of the Airflow worker")
    return default


@dataclass(frozen=True)
class Settings:
    """Where Neo4j is, and who asks."""

    uri: str
    username: str
    password: str = field(repr=False)
    database: str = None

    @classmethod
    def from_environment(cls, uri_variable="NEO4J_URI"):
        """Reads NEO4J_*. Raises SettingsError for what is missing or is no Neo4j URI."""
        uri = variable(uri_variable).strip()
        try:
            parts = urlsplit(uri)
            usable = parts.scheme in SCHEMES and parts.hostname and "@" not in parts.netloc
            usable = usable and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            # The value itself is not repeated: somebody may have put a password into it.
            raise SettingsError(
                f"{uri_variable} is no Neo4j URI: write bolt://host:7687 or neo4j+s://host:7687, "
                "without a user"
            )
        return cls(
            uri=uri,
            username=variable("NEO4J_USERNAME", "neo4j"),
            password=variable("NEO4J_PASSWORD"),
            database=variable("NEO4J_DATABASE", "") or None,
        )

    @property
    def port(self):
        return urlsplit(self.uri).port or PORT

    @property
    def place(self):
        return f"{urlsplit(self.uri).hostname}:{self.port}"


@dataclass(frozen=True)
class Identity:
    """The task instance that connections and transactions are made for."""

    airflow: str
    dag: str
    run: str
    task: str
    attempt: int

    @classmethod
    def of(cls, airflow_version, ti):
        """From Airflow's task instance, `ti` in the context of 2.x and 3.x alike."""
        index = -1 if ti.map_index is None else ti.map_index
        task = ti.task_id if index < 0 else f"{ti.task_id}[{index}]"
        return cls(airflow_version, ti.dag_id, ti.run_id, task, ti.try_number)

    @property
    def user_agent(self):
        names = (re.sub(r"[;()]", "_", printable(name)) for name in (self.dag, self.run, self.task))
        whose = "dag={}; run={}; task={}; try={}".format(*names, self.attempt)
        return f"airflow/{self.airflow} ({whose}) neo4j-python/{package('neo4j').__version__}"

    @property
    def metadata(self):
        return {
            "app": "airflow",
            "dag": self.dag,
            "run": self.run,
            "task": self.task,
            "try": self.attempt,
        }


def printable(text):
    """One line of plain ASCII, whatever a client calls itself."""
    return re.sub(r"[^ -~]", "_", text)[:250]


class DatabaseConnection:
    """What both patterns have in common: how a driver is made and how it is asked."""

    def __init__(self, settings, identity):
        self.settings = settings
        self.identity = identity
        self.created = 0

    def run(self, driver, query):
        """The records of an auto-commit transaction that carries this task's name."""
        query = package("neo4j").Query(query, metadata=self.identity.metadata)
        with driver.session(database=self.settings.database) as session:
            return list(session.run(query))

    def resources(self):
        """What this process uses: drivers, TCP connections to Neo4j's port, bytes, seconds of CPU.

        Without psutil `connections` is None.
        """
        return dict(
            process_resources(),
            drivers=self.open_drivers(),
            connections=connections_to(self.settings.port),
        )

    def close(self):
        """Gives back what this pattern gives back."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _make_driver(self, **options):
        driver = package("neo4j").GraphDatabase.driver(
            self.settings.uri,
            auth=(self.settings.username, self.settings.password),
            user_agent=self.identity.user_agent,
            **options,
        )
        self.created += 1
        _drivers.made.add(driver)
        return driver


class ProblematicDatabaseConnection(DatabaseConnection):
    """A new driver for each call, kept and never closed: what many task authors write."""

    # Drivers that are merely dropped may be closed by the collector, which would hide the problem.
    kept = []

    def driver(self, alias=ALIAS):
        log.info(ABOUT_TO_CREATE, alias)
        driver = self._make_driver()
        self.kept.append(driver)
        driver.verify_connectivity()
        log.info("🍌 Problematic: created new driver for alias '%s'", alias)
        return driver

    def open_drivers(self):
        return len(self.kept)


class ImprovedDatabaseConnection(DatabaseConnection):
    """One driver for each alias and process, for all threads and all objects of this class with the
    same settings and identity. The last object that is closed closes it; so does the process's end.
    """

    def driver(self, alias=ALIAS):
        """The driver of this process, made or checked as needed; safe to call from any thread.

        Raises what the driver raises: AuthError at once and without another login once the server
        refused these credentials (it locks a user after a few of those), ServiceUnavailable when
        the server can't be reached; the next call then tries again.
        """
        shared = _drivers.entry((alias, self.settings, self.identity))
        with shared.lock:
            shared.holders.add(self)
            if shared.is_healthy():
                log.info("🍌 Improved: reusing existing sync driver for %s", alias)
                return shared.driver
            if shared.refusal is not None:
                raise shared.refusal
            shared.open(self._make_driver(**POOL))
            log.info("🍌 Improved: created the one driver for %s", alias)
            return shared.driver

    def run(self, driver, query):
        try:
            return super().run(driver, query)
        except Exception:
            # It may be the connection's fault, so the next use doesn't trust an earlier check.
            _drivers.suspect(driver)
            raise

    def open_drivers(self):
        return sum(shared.driver is not None for shared in _drivers.entries())

    def close(self):
        """Closes the drivers nobody else holds. They are made anew when asked for again."""
        for shared in _drivers.entries():
            with shared.lock:
                shared.holders.discard(self)
                if not shared.holders:
                    shared.close()
                    shared.refusal = None


class _SharedDriver:
    """A driver with its lock, its holders and the time of its last check."""

    def __init__(self):
        self.lock = threading.Lock()
        self.holders = weakref.WeakSet()
        self.driver = None
        self.retired = None
        self.checked_at = None
        self.refusal = None

    def open(self, driver):
        error = _error_of(driver)
        if error is not None:
            driver.close()
            self._note(error)
            raise error
        self.driver, self.checked_at = driver, time.monotonic()

    def is_healthy(self):
        """Asks the server, but at most every CHECK_EVERY_S, and waits at most CHECK_TIMEOUT_S.

        A driver that fails is given up here.
        """
        if self.driver is None:
            return False
        if self.checked_at is not None and time.monotonic() - self.checked_at < CHECK_EVERY_S:
            return True
        answers = []
        ask = threading.Thread(target=_ask, args=(self.driver, answers), daemon=True)
        ask.start()
        ask.join(CHECK_TIMEOUT_S)
        if answers == [None]:
            self.checked_at = time.monotonic()
            return True
        self._give_up(*answers)
        return False

    def close(self):
        for driver in filter(None, (self.driver, self.retired)):
            driver.close()
        self.driver = self.retired = self.checked_at = None

    def _give_up(self, error=None):
        if error is not None:
            log.warning("🍌 Improved: the driver failed its check (%s)", type(error).__name__)
            self._note(error)
            self.close()
            return
        log.warning("🍌 Improved: the driver's check had no answer within %g s", CHECK_TIMEOUT_S)
        # It may be busy, not dead: its threads may finish with it. More than one is never kept.
        if self.retired is not None:
            self.retired.close()
        self.retired, self.driver = self.driver, None

    def _note(self, error):
        if isinstance(error, package("neo4j").exceptions.AuthError):
            self.refusal = error


def _ask(driver, answers):
    answers.append(_error_of(driver))


def _error_of(driver):
    """What goes wrong in a round trip to the server; None if nothing does."""
    try:
        driver.verify_connectivity()
    except Exception as error:
        return error
    return None


class _Drivers:
    """The drivers of this process. A forked child starts with none."""

    def __init__(self):
        self.made = weakref.WeakSet()
        self.start_empty()

    def start_empty(self):
        self.lock = threading.Lock()
        self.shared = {}

    def entry(self, key):
        with self.lock:
            return self.shared.setdefault(key, _SharedDriver())

    def entries(self):
        with self.lock:
            return list(self.shared.values())

    def suspect(self, driver):
        for shared in self.entries():
            if shared.driver is driver:
                shared.checked_at = None

    def close(self):
        for shared in self.entries():
            with shared.lock:
                shared.close()

    def forget(self):
        """For a forked child: the sockets are the parent's, and it must never hear of the child.

        A collected driver says goodbye on its connections, at the latest when the child ends, so
        these are made immortal. The locks are new: a thread that was not copied may hold the old.
        """
        for driver in self.made:
            driver.close = lambda: None
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(driver))
        self.start_empty()


_drivers = _Drivers()
os.register_at_fork(after_in_child=_drivers.forget)
atexit.register(_drivers.close)


def process_resources():
    """This process's largest resident set so far and its CPU time."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    # macOS counts in bytes, everybody else in KiB.
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "pid": os.getpid(),
        "memory_bytes": usage.ru_maxrss * unit,
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
    }


def connections_to(port):
    """Established TCP connections of this process to that port; None if psutil is missing."""
    if psutil is None:
        log.warning("psutil is not installed: the connections of this process are not counted")
        return None
    process = psutil.Process()
    # psutil 6 gave the method another name and deprecates the old one.
    listed = getattr(process, "net_connections", None) or process.connections
    mine = (c for c in listed("tcp") if c.raddr and c.status == psutil.CONN_ESTABLISHED)
    return sum(connection.raddr.port == port for connection in mine)
