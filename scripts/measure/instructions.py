"""The command scripts/instructions: instructions for each operation, counted by callgrind."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from . import documents
from .programs import PASSWORD, Programs, boltbouncer, run, step

WORKLOADS = ("query", "tx", "write", "reconnect")
# Two runs of different length: what the pooler needs to start and to end is in both.
SHORT_S, LONG_S = 1, 6


def main(head):
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=head, formatter_class=form)
    parser.add_argument("--against", metavar="PATH", type=Path)
    chosen = parser.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("scripts/instructions: install valgrind first")
    binary = boltbouncer()
    binaries = ([chosen.against.resolve()] if chosen.against else []) + [binary]
    with Programs() as programs:
        words = ["sandbox", "--listen", "127.0.0.1:0", "--password", PASSWORD]
        sandbox = programs.start("sandbox", binary, *words)
        counts = {}
        for workload in WORKLOADS:
            step(workload)
            counts[workload] = [each(programs, binary, other, sandbox.uri, workload) for other in binaries]
    documents.write("instructions.md", document(counts))


def each(programs, binary, pooler, upstream, workload):
    """Instructions for each operation of this pooler."""
    (less, few), (more, many) = (
        counted(programs, binary, pooler, upstream, workload, seconds) for seconds in (SHORT_S, LONG_S)
    )
    return (more - less) / (many - few)


def counted(programs, binary, pooler, upstream, workload, seconds):
    """Instructions of a pooler from its start to its end, and the operations that it served."""
    out, numbers = programs.folder / "callgrind", programs.folder / "bench.json"
    watched = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", pooler]
    words = ["serve", "--upstream", upstream, "--listen", "127.0.0.1:0"]
    program = programs.start("pooler", *watched, *words)
    try:
        targets = [word for name in ("a", "b") for word in ("--target", f"{name}={program.uri}")]
        load = ["--workload", workload, "--clients", "1", "--rounds", "1", "--warm-up-s", "0.01"]
        environment = dict(os.environ, NEO4J_PASSWORD=PASSWORD)
        length = ["--duration-s", f"{seconds}", "--json", numbers]
        run(binary, "bench", "--yes", *targets, *load, *length, env=environment)
    finally:
        programs.stop(program)
    total = re.search(r"^(?:totals|summary): (\d+)", out.read_text(), re.MULTILINE)
    return int(total.group(1)), sum(found(json.loads(numbers.read_text()), "operations"))


def found(value, name):
    """Every number of this name, however deep it is."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name and isinstance(inner, (int, float)):
                yield inner
            else:
                yield from found(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from found(inner, name)


def document(counts):
    compared = len(counts["query"]) == 2
    head = "| operation | before | now | now ÷ before |\n|---|---:|---:|---:|" if compared else "| operation | now |\n|---|---:|"
    rows = "\n".join(row(workload, numbers) for workload, numbers in counts.items())
    tool = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return f"""# Instructions for an operation

Made by `scripts/instructions` on {documents.today()} with {tool}: how many instructions the pooler executes outside the
kernel for one operation of one client on the sandbox, by `boltbouncer bench`'s workloads. Two runs of different length
were subtracted, so that its start is not in it. Beside these stand six system calls for a query, which take most of the
time.

{head}
{rows}
"""


def row(workload, numbers):
    cells = " | ".join(f"{number:,.0f}" for number in numbers)
    ratio = f" | {numbers[1] / numbers[0]:.3f}" if len(numbers) == 2 else ""
    return f"| {workload} | {cells}{ratio} |"
