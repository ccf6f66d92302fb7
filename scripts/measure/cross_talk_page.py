"""Makes docs/results/cross-talk.md, and says what in an outcome must not be."""

from . import documents

# What clients may be told under these disturbances; anything else has to be explained first.
EXPECTED = {
    "closed",
    "Neo.TransientError.General.DatabaseUnavailable",
    "Neo.TransientError.Request.ResourceExhaustion",
    "Neo.TransientError.Transaction.LockAcquisitionTimeout",
    "Neo.ClientError.Transaction.TransactionTimedOut",
    # What Neo4j itself says of a query whose connection is killed.
    "Neo.ClientError.Transaction.Terminated",
}
EXPECTED_AT_LOGIN = {"Neo.TransientError.General.DatabaseUnavailable"}


def problems(outcome):
    """In words; none if all is well."""
    audit, pools = outcome["audit"], outcome["pools"]
    found = [
        f"{seen['count']} × {kind}: {'; '.join(seen['examples'])}" for kind, seen in outcome["violations"].items()
    ]
    for kind in ("lost", "doubled", "refused_and_there"):
        if tokens := audit[kind]:
            found.append(f"{len(tokens)} writes {kind}: {' '.join(tokens[:5])}")
    found += [f"{audit[kind]} {kind}" for kind in ("abandoned", "transactions_open") if audit[kind]]
    left = {name: pools[name] for name in ("clients", "cl_waiting", "sv_active", "sv_login") if pools[name]}
    found += [f"left at the pooler: {left}"] if left else []
    found += [f"told {code}" for code in outcome["told"] if code not in EXPECTED]
    found += [f"at login {code}" for code in outcome["no_login"] if code not in EXPECTED_AT_LOGIN]
    found += [f"the pooler ended with {outcome['exit_code']}"] if outcome["exit_code"] != 0 else []
    return found


def document(outcomes, chosen, version):
    rows = "\n".join(row(leg, outcome) for leg, outcome in outcomes)
    writes = "\n".join(writes_row(leg, outcome) for leg, outcome in outcomes)
    answered = sum(outcome["answered"] for _, outcome in outcomes)
    words = " ".join([*chosen.legs, f"--seed {chosen.seed}"])
    return f"""# Cross-talk

Made by `scripts/cross-talk {words}` on {documents.today()} with {version}; {documents.machine()}.
{answered:,} queries were answered through poolers with four connections for each of three users, ten for all together,
and every time-out short. Clients of all Bolt versions named share them. Each query has a token of its own, and its answer was
compared with it. Meanwhile clients left in the middle of requests and transactions, connections were killed at
the server (`dbms.killConnection`) and cut on the way to it, half of them in the
middle of a message.

{verdict(outcomes)}

| | Bolt | answered | told a failure | connection lost | clients vanished | killed | logins | seconds |
|---|---|---:|---:|---:|---:|---:|---:|---:|
{rows}

Each write has a token, too, and was looked up at the end. *Unknown*: the connection was lost before the answer to
COMMIT or to the auto-commit query.

| | writes | acknowledged | of these missing | refused | of these there | unknown | of these there | there twice | left open |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
{writes}

What clients were told, and what the pooler counted in `errors_total`:

{counts(outcomes)}
"""


def verdict(outcomes):
    found = [f"- {leg.title}: {words}" for leg, outcome in outcomes for words in problems(outcome)]
    if not found:
        return "No answer was another query's, no write was lost or doubled, and nothing was left open."
    return "**What must not be:**\n\n" + "\n".join(found)


def row(leg, outcome):
    told = dict(outcome["told"])
    lost = told.pop("closed", 0)
    return (
        f"| {leg.title} | {leg.bolt.replace(',', ', ')} | {outcome['answered']:,} | {sum(told.values()):,} | {lost:,}"
        f" | {outcome['vanished']:,} | {outcome['kills']:,} | {outcome['logins']:,} | {outcome['seconds']:.0f} |"
    )


def writes_row(leg, outcome):
    audit = outcome["audit"]
    lost, there, doubled = (len(audit[kind]) for kind in ("lost", "refused_and_there", "doubled"))
    return (
        f"| {leg.title} | {audit['writes']:,} | {audit['acknowledged']:,} | {lost} | {audit['refused']:,} | {there}"
        f" | {audit['unknown']:,} | {audit['unknown_and_there']:,} | {doubled} | {audit['transactions_open']} |"
    )


def counts(outcomes):
    lines = []
    for leg, outcome in outcomes:
        told = {**outcome["told"], **{f"at login {code}": count for code, count in outcome["no_login"].items()}}
        lines.append(f"- {leg.title}. Clients: {listed(told)}. Pooler: {listed(outcome['limits'])}.")
    return "\n".join(lines)


def listed(counted):
    return ", ".join(f"`{name}` {count:,}" for name, count in counted.items()) or "nothing"
