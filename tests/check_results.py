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
        patterns = {pattern["name"]: pattern for pattern in json.load(file)["patterns"]}
    expected = {"problematic": arguments.tasks * arguments.calls, "improved": arguments.tasks}
    assert patterns.keys() == expected.keys(), patterns.keys()
    for name, opened in expected.items():
        connections, tasks = patterns[name]["connections"], patterns[name]["tasks"]
        assert tasks["succeeded"] == arguments.tasks, (name, tasks)
        assert connections["opened"] == connections["closed"] == opened, (name, connections)
        assert 0 < connections["peak_open"] <= opened, (name, connections)
        print(f"{name}: {opened} opened, {connections['peak_open']} at once, as expected")


main()
