"""The command scripts/lab-results: what the lab shows, on its embedded server and on real ones."""

import argparse
import json
import os

from . import documents, login_cost, pictures
from .programs import NEO4J_VERSIONS, PASSWORD, Programs, boltbouncer, run, step

ROUNDS = "3"
OPEN_FILES, FEW_OPEN_FILES = 1024, 512
THREADS = 20
# The rows of comparison.md that are shown, by how they begin.
ROWS = (
    "tasks failed",
    "tries that failed",
    "connections refused",
    "connections opened",
    "open at once, peak",
    "time spent connecting",
    "until all work was done",
    "until the last task ended",
    "server's processor time for logins",
    "server's processor time",
)


def main(head):
    form = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=head, formatter_class=form).parse_args()
    binary = boltbouncer()
    with Programs() as programs:
        costs, rooms = measured(programs)
        sandbox = sandbox_cost(programs, binary)
        runs = Runs(programs, binary)
        small = runs.lab("The default: preset small-server", small_server())
        sections = [
            small,
            runs.lab("Preset aura-like", AURA_LIKE, "--preset", "aura-like"),
            runs.on_neo4j("A real Neo4j 5.26.0 at its defaults", AT_DEFAULTS),
            runs.on_neo4j(
                f"A real Neo4j 5.26.0 that may open {FEW_OPEN_FILES} files", FEW_FILES, open_files=FEW_OPEN_FILES
            ),
            runs.on_neo4j(f"A real Neo4j 5.26.0 with {THREADS} threads instead of 400", FEW_THREADS, *thread_limit()),
        ]
        pictures.of_report(runs.folder_of(small))
        pictures.of_terminal(binary, programs.folder)
        documents.write("lab.md", document(costs, rooms, sandbox, sections))


def measured(programs):
    costs, rooms = {}, {}
    for version in NEO4J_VERSIONS:
        step(f"what logins cost Neo4j {version}")
        with programs.neo4j(version) as neo4j:
            costs[version] = login_cost.measure(neo4j.uri, neo4j.pid)
        with programs.neo4j(version, open_files=OPEN_FILES) as neo4j:
            rooms[version] = login_cost.fill(neo4j.uri, neo4j.pid)
    return costs, rooms


def sandbox_cost(programs, binary):
    words = ["--password", PASSWORD, "--listen", "127.0.0.1:0"]
    sandbox = programs.start("sandbox", binary, "sandbox", *words)
    cost = login_cost.measure(sandbox.uri, sandbox.pid)
    programs.stop(sandbox)
    return cost


def thread_limit():
    return ["--set", f"server.bolt.thread_pool_max_size={THREADS}"]


class Runs:
    def __init__(self, programs, binary):
        self.programs, self.binary, self.count = programs, binary, 0

    def lab(self, title, text, *options):
        step(title)
        self.count += 1
        out = self.programs.folder / f"run-{self.count}"
        environment = dict(os.environ, NEO4J_PASSWORD=PASSWORD)
        run(self.binary, "lab", "--rounds", ROUNDS, "--out", out, *options, env=environment)
        return title, text, out

    def on_neo4j(self, title, text, *options, open_files=None):
        with self.programs.neo4j(NEO4J_VERSIONS[0], *options, open_files=open_files) as neo4j:
            return self.lab(title, text, "--uri", neo4j.uri, "--yes")

    @staticmethod
    def folder_of(section):
        (folder,) = section[2].iterdir()
        return folder


def document(costs, rooms, sandbox, sections):
    return f"""# What the lab shows

Made by `scripts/lab-results` on {documents.today()}; {documents.machine()}. Each table is the median of {ROUNDS} interleaved
rounds with the lowest and the highest in brackets; 100 tasks, 32 at once, 5 calls each, 200 ms of other work after
each call; a task that fails is tried again twice, a second later.

![The result of the default run](../images/lab-result.png)

{"".join(section(*parts) for parts in sections)}
## What the presets are made of

Milliseconds of the server's processor time for each, by `/proc`, from one client that does one after the other. The
first {login_cost.FIRST} logins of a fresh server are dearer, as its code is not compiled yet; the others are the median of
{login_cost.ROUNDS} rounds after {login_cost.WARM_UP:,} of each.

| server | connection and login, first {login_cost.FIRST} | connection and login | connection alone | so a login | a query |
|---|---:|---:|---:|---:|---:|
{cost_rows({**{f"Neo4j {version}": cost for version, cost in costs.items()}, "the sandbox": sandbox})}

A server whose process may open {OPEN_FILES:,} files, filled until it answered no more. It closes nothing: the kernel goes
on taking connections for it, and whoever made one waits in vain.

| server | files open at rest | connections |
|---|---:|---:|
{room_rows(rooms)}
"""


def section(title, text, out):
    (folder,) = out.iterdir()
    results = json.loads((folder / "results.json").read_text())
    table = (folder / "comparison.md").read_text().splitlines()
    rows = [row for row in table if row.startswith(tuple(f"| {name} |" for name in ROWS))]
    return f"""## {title}

{text}

**{results["verdict"]}**

{chr(10).join([*table[:2], *rows])}

"""


def cost_rows(costs):
    return "\n".join(
        f"| {name} | {cost.first_login:.2f} | {cost.login:.2f} | {cost.connection:.2f} | {cost.logging_in:.2f} | {cost.query:.2f} |"
        for name, cost in costs.items()
    )


def room_rows(rooms):
    return "\n".join(
        f"| Neo4j {version} | {room.files_at_rest} | {room.connections} |" for version, room in rooms.items()
    )


def small_server():
    return (
        "The embedded server with a tenth of a real server's limits, for a load that is a tenth of a busy Airflow's: 66\n"
        "connections, 40 threads, and the processor time that a login costs a warm Neo4j. Connections past the limit are\n"
        "closed as they arrive. `boltbouncer lab --list-presets` says where each number comes from."
    )


AURA_LIKE = """The embedded server behind TLS and 20 ms away, without a limit of connections. The pooler is near the tasks. That it
is like Aura is an assumption: none was at hand."""
AT_DEFAULTS = """No limit of connections, 400 threads: nothing fails. What a pooler saves is time and the server's processor."""
FEW_FILES = f"""`ulimit -n {FEW_OPEN_FILES}`, as a container may have it. Neo4j needs some 360 files for itself."""
FEW_THREADS = f"""`server.bolt.thread_pool_max_size={THREADS}`: lowered, to see what its limit of threads does. A thread serves a
connection while that has something to do, logins included. Whether all are taken at one moment is luck: see the brackets."""
