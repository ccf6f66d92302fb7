"""Checks the counts in a results.json: opened is exact, whatever the server and the worker."""

import argparse
import json


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results")
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--patterns", default="problematic,improved,pooled")
    arguments = parser.parse_args()
    with open(arguments.results, encoding="utf-8") as file:
        results = json.load(file)
    patterns = {pattern["name"]: pattern for pattern in results["patterns"]}
    pooled_max = results["settings"]["pool_size"] + 1
    expected = {
        "problematic": (arguments.tasks * arguments.calls, arguments.tasks * arguments.calls),
        "improved": (arguments.tasks, arguments.tasks),
        "hook": (arguments.tasks * arguments.calls, arguments.tasks * arguments.calls),
        "pooled": (1, pooled_max),
    }
    wanted = arguments.patterns.split(",")
    assert list(patterns) == wanted, patterns.keys()
    for name in wanted:
        least, most = expected[name]
        connections, tasks = patterns[name]["connections"], patterns[name]["tasks"]
        assert tasks["succeeded"] == arguments.tasks, (name, tasks)
        is_there_already = name == "pooled" and patterns[name]["pooler"] is None
        if is_there_already:
            # What it holds stays open, and what it held was not opened for this run.
            least, connections = 0, {**connections, "closed": connections["opened"]}
        assert least <= connections["opened"] <= most, (name, connections)
        assert connections["opened"] == connections["closed"], (name, connections)
        assert 0 < connections["peak_open"] <= most, (name, connections)
        print(f"{name}: {connections['opened']} opened, {connections['peak_open']} at once, as expected")
    pooled = patterns["pooled"]
    if pooled["pooler"]:
        # The server's count against the pooler's own.
        assert pooled["pooler"]["upstream_opened"] == pooled["connections"]["opened"], pooled["pooler"]
    assert pooled["drivers_created"] == patterns["problematic"]["drivers_created"], pooled["drivers_created"]


main()
