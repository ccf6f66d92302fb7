"""Makes docs/results/before-after.md: what another binary's pooler and this one's did in the same rounds."""

import json
import statistics
from collections import namedtuple

from . import performance

Pair = namedtuple("Pair", "title workload before pooled")


def document(folder):
    """From what there is in the folder; parts that were not measured are left out."""
    runs = {file.stem: json.loads(file.read_text()) for file in folder.glob("*.json")}
    runs.pop("warm-up", None)
    lines = [head(next(iter(runs.values())))]
    lines += [row(pair) for name, title in titles() if name in runs for pair in pairs(title, runs[name])]
    if memory := idle_memory(runs):
        lines += ["", memory]
    return "\n".join(lines) + "\n"


def head(first):
    return f"""# Before and after

Two binaries' poolers in the same rounds, as `scripts/bench --against` measured them on {first['started'][:10]}: BoltBouncer
{performance.machine(first)}. *After ÷ before* is the
median of the ratios of all rounds, with their quartiles. *Slower* says whether even the lower quartile of the p50's
ratio is above 1, that is, by more than the rounds differ among themselves.

| | p50 before | p50 after | after ÷ before | operations a second, after ÷ before | processor time an operation, before | after | errors | slower |
|---|---:|---:|---:|---:|---:|---:|---:|---|"""


def titles():
    idle = [(f"idle-{count}", f"The sandbox, {count // 2:,} clients that idle") for count in performance.IDLE]
    users = [(f"users-{count}", f"Neo4j 5.26.0, 100 clients of {count} users") for count in performance.USERS]
    return performance.PARTS + idle + users


def pairs(title, run):
    for number, measured in enumerate(run["workloads"]):
        ways = (performance.target(run, name, number) for name in ("before", "pooled"))
        yield Pair(title, measured["workload"], *ways)


def row(pair):
    p50 = [way["total"]["latency_us"]["p50"] for way in (pair.before, pair.pooled)]
    slowdown = ratios(pair, lambda sample: (sample["latency_us"] or {}).get("p50"))
    speedup = ratios(pair, lambda sample: sample["throughput"])
    cost = [processor_time(way) for way in (pair.before, pair.pooled)]
    errors = sum(sum(way["total"]["errors"].values()) for way in (pair.before, pair.pooled))
    slower = "**yes**" if slowdown[0] > 1 else "no"
    return (
        f"| {pair.title}: {pair.workload} | {duration(p50[0])} | {duration(p50[1])} | {quartiles(slowdown)}"
        f" | {quartiles(speedup)} | {cost[0]} | {cost[1]} | {errors} | {slower} |"
    )


def ratios(pair, number):
    """After ÷ before, round by round: the lower quartile, the median and the upper quartile."""
    rounds = zip(map(number, pair.pooled["rounds"]), map(number, pair.before["rounds"]))
    found = [after / before for after, before in rounds if after and before]
    return statistics.quantiles(found, n=4, method="inclusive")


def duration(us):
    return f"{us:.1f} µs" if us < 1000 else f"{us / 1000:.1f} ms"


def quartiles(values):
    low, median, high = values
    return f"{median:.3f} ({low:.3f}–{high:.3f})"


def processor_time(way):
    """Of the process with the target's name; what was not measured is not known."""
    if way["name"] not in way["total"]["cpu_s"] or not way["total"]["operations"]:
        return "–"
    return f"{performance.cpu_us(way['total'], way['name']):.1f} µs"


def idle_memory(runs):
    least, most = performance.IDLE[0], performance.IDLE[-1]
    if f"idle-{least}" not in runs or f"idle-{most}" not in runs:
        return ""
    # Each of the two poolers has half of the clients.
    clients = (most - least) // 2
    kib = {}
    for name in ("before", "pooled"):
        ways = [performance.target(runs[f"idle-{count}"], name) for count in (least, most)]
        kib[name] = performance.grown_kib(*ways, clients)
    return f"Memory of each idle client, of {clients:,}: {kib['before']:.2f} KiB before, {kib['pooled']:.2f} KiB after."
