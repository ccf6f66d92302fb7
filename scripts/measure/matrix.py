"""The command scripts/matrix: the driver tests on the sandbox at each Bolt version, or through the pooler."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from . import documents
from .programs import NEO4J_VERSIONS, PASSWORD, ROOT, Programs, boltbouncer, fail, python_with_driver, run

PYTHON_DRIVERS = ("5.28", "6")
BOLT_VERSIONS = ("4.4", "5.0", "5.1", "5.2", "5.3", "5.4", "5.6", "5.7", "5.8", "6.0")
# What older protocols don't have: re-authentication (5.1), notification filters (5.2), and on 4.4
# element ids, which drivers make up there from the numeric ids.
NO_LOGON = "not credentials_of_the_driver_can_be_verified"
NO_FILTERS = "not notification"
NO_ELEMENT_IDS = "not element_id"
LEFT_OUT = {
    "4.4": f"{NO_LOGON} and {NO_FILTERS} and {NO_ELEMENT_IDS}",
    "5.0": f"{NO_LOGON} and {NO_FILTERS}",
    "5.1": NO_FILTERS,
}


def main(head):
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="scripts/matrix", description=head, formatter_class=form)
    parser.add_argument("--pooler", action="store_true")
    chosen = parser.parse_args()
    if not (ROOT / "tests/drivers/js/node_modules").exists():
        fail("run scripts/test first")
    with Programs() as programs:
        matrix = Matrix(programs, boltbouncer(), Path(tempfile.gettempdir()) / "boltbouncer-matrix.log")
        matrix.through_the_pooler() if chosen.pooler else matrix.direct()


class Matrix:
    def __init__(self, programs, binary, log):
        self.programs, self.binary = programs, binary
        self.log = log.open("w")

    def direct(self):
        rows = []
        for version in BOLT_VERSIONS:
            words = ["--listen", "127.0.0.1:0", "--password", PASSWORD, "--max-bolt", version]
            sandbox = self.programs.start("sandbox", self.binary, "sandbox", *words)
            left_out = LEFT_OUT.get(version, "")
            name = f"sandbox, Bolt up to {version}{' (1)' if left_out else ''}"
            rows.append(self.row(name, self.scripted(sandbox.uri, left_out)))
            self.programs.stop(sandbox)
        with self.programs.neo4j(NEO4J_VERSIONS[0], "--tls") as neo4j:
            rows.append(self.row(f"Neo4j {NEO4J_VERSIONS[0]}, TLS", self.scripted(neo4j.uri)))
        documents.write("matrix.md", DIRECT.format(today=documents.today(), rows="\n".join(rows)))

    def through_the_pooler(self):
        """By every scheme, in which clients and the pooler itself come in, so that TLS is on both sides."""
        rows = []
        for version in NEO4J_VERSIONS:
            for tls in ([], ["--tls"]):
                with self.programs.neo4j(version, *tls) as neo4j:
                    for scheme in ("bolt", "neo4j"):
                        rows.append(self.pooler_row(version, scheme, neo4j.uri))
        documents.write("matrix-pooler.md", POOLER.format(today=documents.today(), rows="\n".join(rows)))

    def pooler_row(self, version, scheme, upstream):
        has_tls = "+" in upstream
        shown = f"{scheme}{'+ssc' if has_tls else ''}://"
        pooler = self.pooler(scheme + upstream.removeprefix("bolt"), has_tls)
        uri = shown + pooler.uri.partition("://")[2]
        # Some tests need a connection of their own.
        outcomes = self.scripted(uri, direct="0") + self.compiled(uri, direct="0")
        self.programs.stop(pooler)
        return self.row(f"pooler before Neo4j {version}, {shown}", outcomes)

    def pooler(self, upstream, has_tls):
        folder = self.programs.folder
        text = f'upstream = "{upstream}"\n[limits]\nmax_connection_pool_size = 60\n'
        if has_tls:
            words = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
            files = ["-keyout", folder / "pooler.key", "-out", folder / "pooler.crt"]
            run("openssl", "req", *words, *files, stderr=self.log)
            text += '[tls]\ncertificate = "pooler.crt"\nkey = "pooler.key"\n'
        (folder / "pooler.toml").write_text(text)
        words = ["serve", "--config", folder / "pooler.toml", "--listen", "127.0.0.1:0"]
        return self.programs.start("pooler", self.binary, *words)

    def scripted(self, uri, left_out="", direct="1"):
        """Outcomes of the tests in Python and in JavaScript."""
        outcomes = []
        for version in PYTHON_DRIVERS:
            words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", left_out, "tests/drivers/python"]
            _, said = self.test(uri, direct, python_with_driver(version), *words)
            outcomes.append((said.splitlines() or [""])[-1].partition(" in ")[0])
        _, said = self.test(uri, direct, "npm", "--prefix", "tests/drivers/js", "test", "--silent")
        outcomes.append(" ".join(re.findall(r"^# ((?:pass|fail) \d+)", said, re.MULTILINE)))
        return outcomes

    def compiled(self, uri, direct):
        """Outcomes of those in Java, Go and Rust."""
        suites = [["mvn", "-q", "-B", "-f", "tests/drivers/java/pom.xml", "test"]]
        suites += [["go", "test", "-C", f"tests/drivers/go{version}", "-count=1", "./..."] for version in (5, 6)]
        outcomes = [self.test(uri, direct, *words)[0] for words in suites]
        # The Rust drivers' tests know plain connections only.
        words = ["cargo", "test", "--quiet", "--locked", "-p", "rust-drivers"]
        return outcomes + ["–" if "+" in uri else self.test(uri, direct, *words)[0]]

    def test(self, uri, direct, *command):
        """Whether a suite passed, and what it said; a suite that failed is a result."""
        server = {"BB_TEST_URI": uri, "BB_TEST_USER": "neo4j", "BB_TEST_PASSWORD": PASSWORD}
        if direct == "0":
            server["BB_TEST_DIRECT"] = direct
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=dict(os.environ, **server),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.log.write(done.stdout)
        return "failed" if done.returncode else "passed", done.stdout

    def row(self, name, outcomes):
        line = f"| {name} | {' | '.join(outcomes)} |"
        print(line, file=sys.stderr)
        return line


DIRECT = """# Drivers and protocol versions

Made by `scripts/matrix` on {today}. The versions of the drivers are in `tests/drivers`.

| server | Python driver 5.28 | Python driver 6 | JavaScript driver 6 |
|---|---|---|---|
{rows}

(1) without the tests of what these protocol versions don't have: re-authentication before 5.1,
notification filters before 5.2, and on 4.4 the server's element ids, which one JavaScript test asks for.
"""
POOLER = """# Drivers through the pooler

Made by `scripts/matrix --pooler` on {today}. Clients and pooler use the same scheme; the tests are
the same as for the servers, except for the few that need a connection of their own. The tests with the Rust
drivers use only unencrypted connections. The versions of the drivers are in `tests/drivers`.

| server | Python 5.28 | Python 6 | JavaScript 6 | Java 6 | Go 5.28 | Go 6.1 | neo4j and neo4rs (Rust) |
|---|---|---|---|---|---|---|---|
{rows}
"""
