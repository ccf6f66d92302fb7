"""What measures BoltBouncer and writes docs/results. The commands are scripts/results, scripts/bench,
scripts/results-airflow, scripts/matrix, scripts/fuzz, scripts/compose-test, scripts/cross-talk, scripts/soak,
scripts/driver-suite, scripts/vanished, scripts/held-up, scripts/instructions and scripts/test-prometheus.

- programs: starts and stops what is measured; the only place that does
- documents: the files in docs/results
- results, speed, raw_bolt: the lab with both workers, and the sandbox beside a Neo4j
- airflow_results: the lab on real Airflow
- bench, performance, before_after: what the pooler costs, and what a change to it costs
- instructions: the same, in instructions that callgrind counts
- prometheus: the dashboard's queries on a real Prometheus, which dashboard_load keeps busy
- matrix: the driver tests on many servers
- fuzz: the fuzz targets
- poolers: a pooler under test, with its numbers
- cross_talk, cross_talk_page: a million queries that must not be mixed up
- soak, soak_page: everything that a pooler goes through, and what it leaves
- driver_suite: the official Python driver's integration tests, direct and pooled
- vanished: peers that are gone without a word, with namespaces, the relay forgetful and the caller
- held_up: clients that hold connections without using them, which are in holding
- compose: the Docker Compose set-up on a container engine of its own

Python 3.9 and later. Only speed, caller, holding and dashboard_load need a package, Neo4j's driver.
"""

import signal
import subprocess
import sys


def command(main, head):
    """Runs a command, whose head is its --help. What fails in it is one line, and so is its end by a signal."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    try:
        main(head)
    except KeyboardInterrupt:
        sys.exit(130)
    except subprocess.CalledProcessError as error:
        words = " ".join(map(str, error.cmd))
        sys.exit(f"{sys.argv[0]}: this failed with code {error.returncode}: {words[:200]}")
