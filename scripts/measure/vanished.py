"""The command scripts/vanished: peers that vanish without a word, on either side of a pooler."""

import argparse
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .namespaces import CLIENT, POOLER, POOLER_FOR_CLIENTS, SERVER, SERVER_ADDRESS, Namespaces, why_impossible
from .programs import PASSWORD, Programs, boltbouncer, python_with_driver, step

CALLER, FORGETFUL = (Path(__file__).with_name(name) for name in ("caller.py", "forgetful.py"))
GHOSTS = 5
KEEPALIVE = {"tcp_keepalive": 1, "tcp_keepalive_interval": 1, "tcp_keepalive_probes": 2}
NOTICED_S = KEEPALIVE["tcp_keepalive"] + KEEPALIVE["tcp_keepalive_interval"] * KEEPALIVE["tcp_keepalive_probes"]
# For a RESET, for a caller's start, and for a busy machine.
NOTICED_MAX_S = NOTICED_S + 15
ANSWER_MAX_S = 3.0
# No wait is longer; what takes so long is not waited for to its end.
PATIENCE_S = 30
FORGETS_AFTER_S = 8
PAUSES_S = (9, 9.5, 10)


@dataclass(frozen=True)
class Verdict:
    case: str
    words: str
    """What was seen."""
    is_good: bool


def main(head):
    chosen = options(head)
    python, binary = python_with_driver(), boltbouncer()
    limits = KEEPALIVE if knows(binary, KEEPALIVE) else {}
    if not limits:
        print("this binary has no settings for keepalive; it is tested without", file=sys.stderr)
    verdicts, obstacle = [], why_impossible()
    for case in chosen.cases:
        step(case)
        if case in IN_NAMESPACES and obstacle:
            verdicts.append(Verdict(case, f"skipped: {obstacle}", True))
        else:
            with Programs() as programs:
                verdicts += CASES[case](Bed(programs, python, binary, limits), chosen)
    for verdict in verdicts:
        print(f"{'ok    ' if verdict.is_good else 'FAILED'} {verdict.case}: {verdict.words}")
    sys.exit(not all(verdict.is_good for verdict in verdicts))


def options(head):
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="scripts/vanished", description=head, formatter_class=form)
    parser.add_argument("cases", metavar="CASE", nargs="*")
    parser.add_argument("--calls", metavar="N", type=int, default=4)
    parser.add_argument("--within", metavar="S", type=float, default=ANSWER_MAX_S)
    chosen = parser.parse_args()
    if strange := [case for case in chosen.cases if case not in CASES]:
        parser.error(f"no case {strange[0]}; there are {' '.join(CASES)}")
    if not 1 <= chosen.calls <= 100:
        parser.error("--calls is from 1 to 100")
    chosen.cases = chosen.cases or list(CASES)
    return chosen


def knows(binary, limits):
    """Whether the binary takes these settings."""
    with Programs() as programs:
        file = programs.folder / "asked.toml"
        file.write_text(configuration("bolt://127.0.0.1:1", limits))
        return subprocess.run([binary, "serve", "--check", "--config", file], capture_output=True).returncode == 0


def configuration(upstream, limits):
    keys = "".join(f"{name} = {value}\n" for name, value in limits.items())
    return f'upstream = "{upstream}"\nallow_plaintext = true\n[limits]\n{keys}'


class Bed:
    """Servers, poolers and callers, each where it belongs."""

    def __init__(self, programs, python, binary, limits):
        self.programs, self.python, self.binary, self.limits = programs, python, binary, limits
        self.environment = dict(os.environ, CALLER_PASSWORD=PASSWORD)

    def sandbox(self, listen, where=()):
        words = ["sandbox", "--listen", listen, "--password", PASSWORD]
        return self.programs.start("sandbox", *where, self.binary, *words).uri

    def pooler(self, listen, upstream, limits, where=()):
        file = self.programs.folder / "pooler.toml"
        file.write_text(configuration(upstream, limits))
        words = ["serve", "--config", file, "--listen", listen]
        return self.programs.start("pooler", *where, self.binary, *words).uri

    def stays(self, what, uri, where):
        """A caller that does not end by itself; it is there when this returns."""
        words = [*where, self.python, CALLER, what, uri, f"{GHOSTS}"]
        return self.programs.start(what, *words, env=self.environment)

    def asking(self, uri, query, where=()):
        words = [*where, self.python, CALLER, "ask", uri, query]
        return subprocess.Popen(words, env=self.environment, stdout=subprocess.PIPE, text=True)

    def ask(self, uri, query, where=(), seconds=PATIENCE_S):
        """What the caller said; empty if it said nothing in time."""
        return said(self.asking(uri, query, where), seconds)


def said(asking, seconds):
    try:
        return asking.communicate(timeout=seconds)[0].strip()
    except subprocess.TimeoutExpired:
        return ""
    finally:
        asking.kill()
        asking.wait()


class Lab:
    """A server, a pooler and clients in namespaces of their own."""

    def __init__(self, bed, net, limits):
        self.bed, self.net = bed, net
        self.server = bed.sandbox(f"{SERVER_ADDRESS}:7687", net.inside(SERVER))
        listen = f"{POOLER_FOR_CLIENTS}:7688"
        self.pooler = bed.pooler(listen, self.server, {**bed.limits, **limits}, net.inside(POOLER))

    def transactions(self):
        """How many the server has, besides the one that asks."""
        words = self.bed.ask(self.server, "SHOW TRANSACTIONS", self.net.inside(SERVER)).split()
        return int(words[2]) - 1 if words[:1] == ["answered"] else -1


def in_namespaces(case, limits=None):
    """A case that gets a lab of its own, and is skipped where there can be none."""

    def run(bed, _):
        with Namespaces() as net:
            try:
                yield from case(Lab(bed, net, limits or {}))
            finally:
                for program in reversed(bed.programs.running[:]):
                    bed.programs.stop(program)

    return run


def transactions(lab):
    lab.bed.stays("hold", lab.pooler, lab.net.inside(CLIENT))
    before = lab.transactions()
    lab.net.cut(CLIENT)
    took = until(lambda: lab.transactions() == 0)
    words = f"{before} open transactions of clients that are gone: {rolled_back(took)}"
    yield Verdict("transactions", words, before == GHOSTS and took is not None and took <= NOTICED_MAX_S)


def rolled_back(took):
    return f"still open after {PATIENCE_S} s" if took is None else f"rolled back after {took:.1f} s"


def query(lab):
    asking = lab.bed.asking(lab.pooler, "CALL sandbox.sleep(60000)", lab.net.inside(CLIENT))
    has_begun = until(lambda: lab.transactions() == 1) is not None
    lab.net.cut(SERVER)
    began = time.monotonic()
    words = said(asking, PATIENCE_S)
    took = time.monotonic() - began
    heard = f"the client heard after {took:.1f} s: {words}" if words else f"the client heard nothing for {took:.0f} s"
    is_good = has_begun and words.startswith("failed") and took <= NOTICED_MAX_S
    yield Verdict("query", f"the server is gone in the middle of a query: {heard}", is_good)


def ghosts(lab):
    """The newcomer asks from beside the pooler, whose network is whole."""
    lab.bed.stays("rest", lab.pooler, lab.net.inside(CLIENT))
    here = lab.net.inside(POOLER)
    is_full = not lab.bed.ask(lab.pooler, "RETURN 1", here).startswith("answered")
    lab.net.cut(CLIENT)
    took = until(lambda: lab.bed.ask(lab.pooler, "RETURN 1", here).startswith("answered"))
    seen = f"the user is kept out for {PATIENCE_S} s" if took is None else f"the user is in after {took:.1f} s"
    is_good = is_full and took is not None and took <= NOTICED_MAX_S
    yield Verdict("ghosts", f"{GHOSTS} clients are gone, and {seen}", is_good)


def balancer(bed, chosen):
    """With the default settings: nobody knows how long a balancer remembers."""
    server = bed.sandbox("127.0.0.1:0").partition("://")[2]
    relay = bed.programs.start("relay", sys.executable, FORGETFUL, server, f"{FORGETS_AFTER_S}").uri
    ways = {"direct": relay, "pooled": bed.pooler("127.0.0.1:0", relay, {})}
    answers = {way: [] for way in ways}

    def call(way, seconds=PATIENCE_S):
        answers[way].append(bed.ask(ways[way], "RETURN 1", seconds=seconds))

    for number in range(chosen.calls + 1):
        callers = [threading.Thread(target=call, args=[way]) for way in ways]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        if number < chosen.calls:
            time.sleep(PAUSES_S[number % len(PAUSES_S)])
    # The first came before any pause.
    for way, words in answers.items():
        yield calls_verdict(way, words[1:], chosen.within)


def calls_verdict(way, answers, within):
    times = [float(words.split()[1]) if words.startswith("answered") else PATIENCE_S for words in answers]
    good = sum(seconds < within for seconds in times)
    words = f"{way}: {good} of {len(times)} calls answered within {within:g} s, the slowest after {max(times):.1f} s"
    words += "".join(f"; {answer or 'one was given up'}" for answer in answers if not answer.startswith("answered"))
    return Verdict("balancer", words, good == len(times))


def until(is_so):
    """How many seconds it took; None if it has not come to be in time."""
    began = time.monotonic()
    while time.monotonic() < began + PATIENCE_S:
        if is_so():
            return time.monotonic() - began
        time.sleep(0.2)
    return None


CASES = {
    "transactions": in_namespaces(transactions),
    "query": in_namespaces(query),
    "ghosts": in_namespaces(ghosts, {"max_user_client_connections": GHOSTS}),
    "balancer": balancer,
}
IN_NAMESPACES = ("transactions", "query", "ghosts")
