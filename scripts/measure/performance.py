"""Makes docs/results/performance.md out of what scripts/bench has measured into a folder."""

import json
import re
import sys

from .programs import said

PARTS = [
    ("neo4j", "Neo4j 5.26.0, one client"),
    ("stream", "Neo4j 5.26.0, a million records of 100 bytes"),
    ("far", "Neo4j 5.26.0, 20 ms away"),
    ("clients-1000", "Neo4j 5.26.0, 1,000 clients on 16 connections"),
    ("sandbox", "The sandbox, one client"),
    ("clients-5000", "The sandbox, 5,000 clients on 16 connections"),
]
IDLE = [10, 100, 1000, 9800]
USERS = [1, 10, 100]


def document(folder):
    def results(name):
        try:
            return json.loads((folder / f"{name}.json").read_text())
        except FileNotFoundError:
            sys.exit(f"scripts/bench: {name} has not been measured yet; run it without naming a part")

    lines = [head(results("neo4j"))]
    for name, title in PARTS:
        lines += [checked(title, check) for check in results(name)["checks"]]
    lines.append(ABOUT_QUOTIENTS)
    for name, title in PARTS:
        command, tables = ((folder / f"{name}.{kind}").read_text().strip() for kind in ("command", "md"))
        lines.append(f"\n## {title}\n\n```\n{command}\n```\n\n{tables}")
    return "\n".join(lines + as_clients_grow(results) + as_users_grow(results))


def head(first):
    return f"""# Performance

What the pooler costs and saves, as `scripts/bench` measured it on {first['started'][:10]}: BoltBouncer
{machine(first)}. Load generator, server,
HAProxy and pooler share these processors, so a relay's latency is higher here than on machines of their own.
Ratios within a table were measured in the same moments.

*÷ direct* is the median of the ratios of all rounds, with their quartiles. Each round gives every target one turn,
beginning with another one. *haproxy* is HAProxy {haproxy_version()} in TCP mode with `splice-auto`: it shows what a relay
costs that knows nothing about Bolt. Processor time is that of the process with the target's name.

## Against the targets

| condition | measured | holds |
|---|---:|---|"""


def machine(run):
    machine = run["machine"]
    return f"{run['boltbouncer']}, {machine['cpus']} processors ({machine['processor']}), Linux {machine['kernel']}"


def haproxy_version():
    return re.search(r"version (\d+\.\d+\.\d+)", said("haproxy", "-v")).group(1)


def checked(title, check):
    value = "–" if check["value"] is None else f"{check['value']:.3f}"
    return f"| {title}: `{check['check']}` | {value} | {'yes' if check['holds'] else '**no**'} |"


def as_clients_grow(results):
    lines = [AS_CLIENTS_GROW]
    curve = []
    for count in IDLE:
        total = target(results(f"idle-{count}"), "pooled")["total"]
        cost = cpu_us(total)
        curve.append((count, cost))
        memory = total["memory_bytes"]["pooled"] / 2**20
        lines.append(f"| {count} | {total['latency_us']['p50']:.1f} µs | {cost:.1f} µs | {memory:.1f} MiB |")
    lines.append(chart("Processor time per query, by clients connected", curve))
    least, most = (target(results(f"idle-{count}"), "pooled") for count in (IDLE[0], IDLE[-1]))
    clients = IDLE[-1] - IDLE[0]
    lines.append(f"\nEach of the {clients:,} additional clients took {grown_kib(least, most, clients):.2f} KiB.\n")
    return lines


def as_users_grow(results):
    lines = ["| users | direct p50 | pooled p50 | processor time of the pooler per query |\n|---:|---:|---:|---:|"]
    curve = []
    for count in USERS:
        run = results(f"users-{count}")
        direct, pooled = target(run, "direct"), target(run, "pooled")
        cost = cpu_us(pooled["total"])
        curve.append((count, cost))
        p50 = [way["total"]["latency_us"]["p50"] / 1000 for way in (direct, pooled)]
        lines.append(f"| {count} | {p50[0]:.2f} ms | {p50[1]:.2f} ms | {cost:.1f} µs |")
    lines.append(chart("Processor time per query, by users", curve))
    return lines


def target(run, name, workload=0):
    (found,) = [target for target in run["workloads"][workload]["targets"] if target["name"] == name]
    return found


def cpu_us(total, name="pooled"):
    return total["cpu_s"][name] / total["operations"] * 1e6


def grown_kib(least, most, clients):
    """What each of so many clients more took of the process with the target's name."""
    memory = [way["total"]["memory_bytes"][way["name"]] for way in (least, most)]
    return (memory[1] - memory[0]) / clients / 1024


def chart(title, points):
    labels = ", ".join(f'"{count:,}"' for count, _ in points)
    values = ", ".join(f"{value:.1f}" for _, value in points)
    top = max(value for _, value in points) * 1.3
    return f"""
```mermaid
xychart-beta
    title "{title}"
    x-axis [{labels}]
    y-axis "µs" 0 --> {top:.0f}
    line [{values}]
```"""


ABOUT_QUOTIENTS = """
`p99/p50` is taken within rounds of half a second: the queue serves in the order of arrival, so that within a few
of its turns everybody waits for as long. Over all rounds together, as in the table further down, the two lie
further apart, because a shared machine changes its pace."""
AS_CLIENTS_GROW = """
## As clients and users grow

First table: many clients are connected to the sandbox and one of them works. Second table: 100 clients of more
and more users work on Neo4j, and each user has a pool of its own.

| clients connected | p50 | processor time of the pooler per query | its memory |
|---:|---:|---:|---:|"""
