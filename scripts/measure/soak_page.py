"""Makes docs/results/soak.md, and says what a soak has left behind."""

from . import documents

POOL_NUMBERS = ("clients", "cl_waiting", "sv_active", "sv_idle", "sv_login", "open")
# The allocator keeps some of what was used at a peak, and peaks differ.
GROWTH_MAX = 1.15
GROWTH_MAX_KIB = 1024
DRAIN_MAX_S = 8


def problems(cycles):
    """In words; none if the last cycle has left what the first one had."""
    first, last = cycles[0].quiet, cycles[-1].quiet
    names = ("open files", "threads", "connections at the server", *POOL_NUMBERS)
    found = [
        f"{name}: {before} after the first cycle, {after} after the last"
        for name, before, after in zip(names, first.shown, last.shown)
        if before != after
    ]
    if left := {name: last.pools[name] for name in POOL_NUMBERS if last.pools[name]}:
        found.append(f"left in the pools: {left}")
    if last.rss_kib > first.rss_kib * GROWTH_MAX + GROWTH_MAX_KIB:
        found.append(f"memory: {first.rss_kib} KiB after the first cycle, {last.rss_kib} KiB after the last")
    for number, cycle in enumerate(cycles, 1):
        for kind, seen in cycle.load["violations"].items():
            found.append(f"cycle {number}: {seen['count']} × {kind}: {'; '.join(seen['examples'])}")
        if cycle.drain_code != 0 or cycle.drain_s > DRAIN_MAX_S:
            found.append(f"cycle {number}: the drain took {cycle.drain_s:.1f} s and ended with {cycle.drain_code}")
    return found


def document(minutes, fresh, cycles, version):
    found = problems(cycles)
    verdict = "\n".join(f"- {words}" for words in found)
    rows = "\n".join(row(number, cycle) for number, cycle in enumerate(cycles, 1))
    growth = f"at most {GROWTH_MAX - 1:.0%} and {GROWTH_MAX_KIB} KiB more memory"
    return f"""# A soak of {minutes:g} minutes

Made by `scripts/soak --minutes {minutes:g}` on {documents.today()} with {version}; {documents.machine()}. In each of
{len(cycles)} cycles, 80 clients of Bolt 4.4, 5.8 and 6.0 connect, ask, write and vanish through two poolers in front of one
sandbox. Connections are killed at the server, and a relay cuts one every half second. The first pooler's limits are changed and
reloaded eight times, the server is restarted (killed in every second cycle), the second pooler is drained and started
again. Then all is quiet for a quarter of the cycle, and the first pooler, which has run all the time, is read.

In the end it must have as many open files, threads and connections as after the first cycle, none of which is in a pool,
and {growth}. Tasks are not counted by themselves: each task of the pooler holds a
socket, a pool or a client, and these are.

{'**What is not as it was:**' + chr(10) + chr(10) + verdict if found else 'All was as after the first cycle.'}

| cycle | answered | told a failure | connection lost | vanished | killed | logins | no login | drain | memory at most | memory after | open files | threads | open upstream | clients |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
| started | | | | | | | | | | {kib(fresh)} | {fresh.files} | {fresh.threads} | {fresh.pools['open']} | {fresh.pools['clients']} |
{rows}

Memory is the process's resident memory in KiB; *at most* is the largest of ten readings under load.
"""


def row(number, cycle):
    load, quiet = cycle.load, cycle.quiet
    told = dict(load["told"])
    lost = told.pop("closed", 0)
    return (
        f"| {number} | {load['answered']:,} | {sum(told.values()):,} | {lost:,} | {load['vanished']:,} | {load['kills']:,}"
        f" | {load['logins']:,} | {sum(load['no_login'].values()):,} | {cycle.drain_s:.1f} s | {kib(cycle.busiest)} | {kib(quiet)}"
        f" | {quiet.files} | {quiet.threads} | {quiet.pools['open']} | {quiet.pools['clients']} |"
    )


def kib(reading):
    return f"{reading.rss_kib:,}"
