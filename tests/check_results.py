"""Checks the counts in a results.json: opened is exact, whatever the server and the worker."""

import argparse
import json


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results")
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--calls", type=int, required=True)
    arguments = parser.parse_args()
    with open(arguments.results, encoding="utf-8") as file:
        results = json.load(file)
    patterns = {pattern["name"]: pattern for pattern in results["patterns"]}
    pooled_max = results["settings"]["pool_size"] + 1
    expected = {
        "problematic": (arguments.tasks * arguments.calls, arguments.tasks * arguments.calls),
        "improved": (arguments.tasks, arguments.tasks),
        "pooled": (1, pooled_max),
    }
    assert patterns.keys() == expected.keys(), patterns.keys()
    for name, (least, most) in expected.items():
        connections, tasks = patterns[name]["connections"], patterns[name]["tasks"]
        assert tasks["succeeded"] == arguments.tasks, (name, tasks)
        assert least <= connections["opened"] <= most, (name, connections)
        assert connections["opened"] == connections["closed"], (name, connections)
        assert 0 < connections["peak_open"] <= most, (name, connections)
        print(f"{name}: {connections['opened']} opened, {connections['peak_open']} at once, as expected")
    # The server's count against the pooler's own.
    pooled = patterns["pooled"]
    assert pooled["pooler"]["upstream_opened"] == pooled["connections"]["opened"], pooled["pooler"]
    assert pooled["drivers_created"] == patterns["problematic"]["drivers_created"], pooled["drivers_created"]


main()
