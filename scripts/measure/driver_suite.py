"""The command scripts/driver-suite: the official Python driver's integration tests, direct and pooled."""

import argparse
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from dataclasses import dataclass
from pathlib import Path

from . import documents
from .poolers import Pooler
from .programs import NEO4J_VERSIONS, PASSWORD, Programs, boltbouncer, fail, python_with_driver, said, step

SCHEMES = ("bolt", "neo4j")
LEFT_OUT = "not kerberos and not secure and not trust and not service_unavailable"
RUN_MAX_S = 1200
# The tests draw lots while they are collected; both runs have to draw the same.
SEEDED = "import random\nrandom.seed(12)\n"
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True)
class Run:
    scheme: str
    way: str
    outcomes: dict
    """The outcome by the test's name, and the last words of its failure."""

    def count(self, wanted):
        return sum(outcome == wanted for outcome, _ in self.outcomes.values())


def main(head):
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="scripts/driver-suite", description=head, formatter_class=form)
    parser.add_argument("path", metavar="PATH", type=Path)
    parser.add_argument("--only", metavar="WORDS")
    chosen = parser.parse_args()
    if not (chosen.path / "tests/integration").is_dir():
        parser.error(f"{chosen.path} has no tests/integration")
    binary = boltbouncer()
    with Programs() as programs, programs.neo4j() as neo4j:
        suite = Suite(programs, binary, chosen.path.resolve(), chosen.only)
        runs = [run for scheme in SCHEMES for run in suite.compare(scheme, neo4j.uri)]
    text = document(runs, driver_version(chosen.path), said(binary, "--version"))
    print(text)
    if not chosen.only:
        documents.write("driver-suite.md", text)
    sys.exit(bool(only_pooled(runs)))


class Suite:
    def __init__(self, programs, binary, path, only):
        self.programs, self.binary, self.path = programs, binary, path
        self.chosen = f"{LEFT_OUT} and ({only})" if only else LEFT_OUT
        self.python = python_with_driver("suite")
        (programs.folder / "seeded.py").write_text(SEEDED)

    def compare(self, scheme, uri):
        yield self.run(scheme, "direct", uri)
        upstream = scheme + uri.removeprefix("bolt")
        pooler = Pooler(self.programs, self.binary, upstream, {}, name=f"pooler-{scheme}")
        yield self.run(scheme, "through the pooler", pooler.uri)
        self.programs.stop(pooler.program)

    def run(self, scheme, way, uri):
        step(f"{scheme}, {way}")
        report = self.programs.folder / f"{scheme} {way}.xml"
        words = ["-m", "pytest", "-q", "-p", "seeded", "-p", "no:cacheprovider", "--tb=short", "-k", self.chosen]
        words += [f"--junitxml={report}", "tests/integration"]
        log = self.programs.folder / "pytest.log"
        with log.open("w") as output:
            subprocess.run(
                [self.python, *words],
                cwd=self.path,
                env=self.environment(scheme, uri),
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=RUN_MAX_S,
            )
        if not report.exists():
            fail(f"pytest made no report: {log.read_text()[-2000:]}")
        return Run(scheme, way, dict(map(outcome, xml.parse(report).iter("testcase"))))

    def environment(self, scheme, uri):
        host, port = uri.partition("://")[2].split(":")
        server = {"HOST": host, "PORT": port, "USER": "neo4j", "PASS": PASSWORD, "SCHEME": scheme}
        server |= {"EDITION": "community", "VERSION": NEO4J_VERSIONS[0], "IS_CLUSTER": "no"}
        sources = os.pathsep.join(map(str, (self.path / "src", self.programs.folder)))
        named = {f"TEST_NEO4J_{name}": value for name, value in server.items()}
        return dict(os.environ, PYTHONPATH=sources, PYTHONDONTWRITEBYTECODE="1", **named)


def outcome(case):
    name = f"{case.get('classname').removeprefix('tests.integration.')}::{case.get('name')}"
    for kind in ("failure", "error"):
        if (problem := case.find(kind)) is not None:
            return name, (FAILED, (problem.get("message") or "").strip().splitlines()[0][:200])
    return name, (SKIPPED if case.find("skipped") is not None else PASSED, "")


def driver_version(path):
    found = re.search(r'^version = "(.*)"', (path / "src/neo4j/_meta.py").read_text(), re.MULTILINE)
    return found.group(1) if found else "of unknown version"


def only_pooled(runs):
    """What passes direct and not through the pooler: scheme, test, last words."""
    found = []
    for direct, pooled in zip(runs[::2], runs[1::2]):
        for name, (result, _) in direct.outcomes.items():
            result_pooled, words = pooled.outcomes.get(name, (FAILED, "not run"))
            if result == PASSED and result_pooled != PASSED:
                found.append((pooled.scheme, name, words))
    return found


def document(runs, driver, version):
    rows = "\n".join(
        f"| {run.scheme} | {run.way} | {run.count(PASSED)} | {run.count(FAILED)} | {run.count(SKIPPED)} |" for run in runs
    )
    worse = [f"- {scheme}: `{name}`: {words}" for scheme, name, words in only_pooled(runs)]
    direct = [
        f"- {run.scheme}: `{name}`: {words}"
        for run in runs[::2]
        for name, (result, words) in run.outcomes.items()
        if result == FAILED
    ]
    return f"""# The official Python driver's integration tests

Made by `scripts/driver-suite` on {documents.today()} with {version}, the tests and the driver of
neo4j-python-driver {driver}, and Neo4j {NEO4J_VERSIONS[0]}; {documents.machine()}. Left out by name:
`{LEFT_OUT.replace('not ', '').replace(' and', ',')}`, which need Kerberos, TLS or a server to be killed. What is
skipped, the tests skip by themselves. The pooler has its default settings.

| scheme | way | passed | failed | skipped |
|---|---|---:|---:|---:|
{rows}

Passes direct and not through the pooler:

{chr(10).join(worse) or 'nothing.'}

Fails direct:

{chr(10).join(direct) or 'nothing.'}
"""
