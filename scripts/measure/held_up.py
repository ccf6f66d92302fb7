"""The command scripts/held-up: clients that hold connections without using them."""

import argparse
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from .programs import (
    NEO4J_VERSIONS,
    PASSWORD,
    Programs,
    boltbouncer,
    free_port,
    is_listened_on,
    python_with_driver,
    step,
)

CASES = ("transactions", "uploads", "readers", "nested", "contended")
CONTENDED_S = 3
LIMITS = {"contended": {"max_parked_connections": 0, "contended_idle_timeout": CONTENDED_S}}
ANSWER_MAX_S = 2.0
# For a case as a whole; what takes longer is not waited for.
CASE_MAX_S = 180


def main(head):
    chosen = options(head)
    binary, python = boltbouncer(), python_with_driver()
    is_good = True
    with Programs() as programs, server(programs, chosen, binary) as (uri, password):
        for case in chosen.cases:
            step(case)
            case_is_good, words = verdict(case, chosen.within, played(programs, case, binary, python, uri, password))
            is_good &= case_is_good
            print(f"{'ok    ' if case_is_good else 'FAILED'} {case}: {words}", flush=True)
    sys.exit(not is_good)


def verdict(case, within, seen):
    """Whether what was seen is good, and the words about it."""
    if "seconds" not in seen:
        return False, "; ".join(seen["wrong"])
    limit = within + LIMITS.get(case, {}).get("contended_idle_timeout", 0)
    words = f"answered after {seen['seconds']:.2f} s, direct {seen['direct']:.2f} s; {seen['pool']}"
    words += "".join(f"; {wrong}" for wrong in seen["wrong"])
    return not seen["wrong"] and seen["seconds"] - seen["direct"] <= limit, words


def options(head):
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="scripts/held-up", description=head, formatter_class=form)
    parser.add_argument("cases", metavar="CASE", nargs="*")
    parser.add_argument("--within", metavar="S", type=float, default=ANSWER_MAX_S)
    servers = parser.add_mutually_exclusive_group()
    servers.add_argument("--neo4j", metavar="VERSION", default=NEO4J_VERSIONS[0])
    servers.add_argument("--uri")
    servers.add_argument("--sandbox", action="store_true")
    chosen = parser.parse_args()
    if strange := [case for case in chosen.cases if case not in CASES]:
        parser.error(f"no case {strange[0]}; there are {' '.join(CASES)}")
    chosen.cases = chosen.cases or list(CASES)
    return chosen


@contextmanager
def server(programs, chosen, binary):
    """Where the server is, and its password."""
    if chosen.uri:
        yield chosen.uri, os.environ["NEO4J_PASSWORD"]
    elif chosen.sandbox:
        words = ["sandbox", "--listen", "127.0.0.1:0", "--password", PASSWORD]
        yield programs.start("sandbox", binary, *words).uri, PASSWORD
    else:
        with programs.neo4j(chosen.neo4j) as neo4j:
            yield neo4j.uri, PASSWORD


def played(programs, case, binary, python, uri, password):
    """What the clients of a case have seen, through a pooler of its own."""
    file, admin = programs.folder / f"{case}.toml", free_port()
    limits = "".join(f"{name} = {value}\n" for name, value in LIMITS.get(case, {}).items())
    file.write_text(f'upstream = "{uri}"\n[limits]\n{limits}')
    words = ["serve", "--config", file, "--listen", "127.0.0.1:0", "--admin", f"127.0.0.1:{admin}"]
    pooler = programs.start(f"pooler-{case}", binary, *words)
    if not is_listened_on(admin):
        return {"wrong": ["the admin port was taken by somebody else"]}
    seen = heard(python, password, case, pooler.uri, f"http://127.0.0.1:{admin}/api/v1/pools", uri)
    programs.stop(pooler)
    return seen


def heard(python, password, *words):
    """What the clients said. A case that they don't bring to its end is wrong, and the next one has its turn."""
    environment, scripts = dict(os.environ, HOLDING_PASSWORD=password), Path(__file__).resolve().parents[1]
    clients = [python, "-m", "measure.holding", *words]
    try:
        done = subprocess.run(
            clients, cwd=scripts, env=environment, stdout=subprocess.PIPE, text=True, timeout=CASE_MAX_S
        )
    except subprocess.TimeoutExpired:
        return {"wrong": [f"not answered after {CASE_MAX_S} s"]}
    if done.returncode:
        return {"wrong": ["the clients failed as above"]}
    return json.loads(done.stdout)
