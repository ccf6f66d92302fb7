"""Makes docs/results/performance.md out of what scripts/bench has measured, in the folder that it names."""

import json
import re
import subprocess
import sys
from pathlib import Path

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


def main():
    folder = Path(sys.argv[1])

    def results(name):
        try:
            return json.loads((folder / f"{name}.json").read_text())
        except FileNotFoundError:
            sys.exit(f"scripts/bench: {name} has not been measured yet; run it without naming a part")

    first = results("neo4j")
    machine = first["machine"]
    print(f"""# Performance

What the pooler costs and saves, as `scripts/bench` measured it on {first['started'][:10]}: BoltBouncer
{first['boltbouncer']}, {machine['cpus']} processors ({machine['processor']}), Linux {machine['kernel']}. Load generator, server,
HAProxy and pooler share these processors, so that a relay's latency here is more than it is on machines of
their own; ratios within a table were measured in the same moments.

*÷ direct* is the median of the ratios of all rounds, with their quartiles. Each round visits each target once,
beginning with another one. *haproxy* is HAProxy {haproxy_version()} in TCP mode with `splice-auto`: what a relay costs
that knows nothing of Bolt. Processor time is that of the process with the target's name.

## Against the targets
""")
    print("| condition | measured | holds |\n|---|---:|---|")
    for name, title in PARTS:
        for check in results(name)["checks"]:
            value = "–" if check["value"] is None else f"{check['value']:.3f}"
            print(f"| {title}: `{check['check']}` | {value} | {'yes' if check['holds'] else '**no**'} |")
    print("""
`p99/p50` is taken within rounds of half a second: the queue serves in the order of arrival, so that within a few
of its turns everybody waits for as long. Over all rounds together, as in the table further down, the two lie
further apart, because a shared machine changes its pace.""")
    for name, title in PARTS:
        print(f"\n## {title}\n\n```\n{(folder / f'{name}.command').read_text().strip()}\n```\n")
        print((folder / f"{name}.md").read_text().strip())
    growth(results)


def growth(results):
    print("""
## As clients and users grow

Connected clients of which one works, on the sandbox; then 100 clients that work, of more and more users, on
Neo4j, each user with a pool of its own.

| clients connected | p50 | processor time of the pooler per query | its memory |
|---:|---:|---:|---:|""")
    curve = []
    for count in IDLE:
        total = results(f"idle-{count}")["workloads"][0]["targets"][0]["total"]
        cost = cpu_us(total)
        curve.append((count, cost))
        memory = total["memory_bytes"]["pooled"] / 2**20
        print(f"| {count} | {total['latency_us']['p50']:.1f} µs | {cost:.1f} µs | {memory:.1f} MiB |")
    chart("Processor time per query, by clients connected", curve)
    least, most = (results(f"idle-{count}") for count in (IDLE[0], IDLE[-1]))
    grown = memory_of(most) - memory_of(least)
    clients = IDLE[-1] - IDLE[0]
    print(f"\nThe {clients:,} clients more took {grown / clients / 1024:.2f} KiB each.\n")
    print("| users | direct p50 | pooled p50 | processor time of the pooler per query |\n|---:|---:|---:|---:|")
    curve = []
    for count in USERS:
        direct, pooled = results(f"users-{count}")["workloads"][0]["targets"]
        cost = cpu_us(pooled["total"])
        curve.append((count, cost))
        p50 = [target["total"]["latency_us"]["p50"] / 1000 for target in (direct, pooled)]
        print(f"| {count} | {p50[0]:.2f} ms | {p50[1]:.2f} ms | {cost:.1f} µs |")
    chart("Processor time per query, by users", curve)


def haproxy_version():
    words = subprocess.run(["haproxy", "-v"], check=True, capture_output=True, text=True).stdout
    return re.search(r"version (\d+\.\d+\.\d+)", words).group(1)


def cpu_us(total):
    return total["cpu_s"]["pooled"] / total["operations"] * 1e6


def memory_of(run):
    return run["workloads"][0]["targets"][0]["total"]["memory_bytes"]["pooled"]


def chart(title, points):
    labels = ", ".join(f'"{count:,}"' for count, _ in points)
    values = ", ".join(f"{value:.1f}" for _, value in points)
    top = max(value for _, value in points) * 1.3
    print(f"""
```mermaid
xychart-beta
    title "{title}"
    x-axis [{labels}]
    y-axis "µs" 0 --> {top:.0f}
    line [{values}]
```""")


main()
