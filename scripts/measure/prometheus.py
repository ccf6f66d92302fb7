"""The command scripts/test-prometheus: a real Prometheus on a pooler under load, and every query of the dashboard."""

import argparse
import json
import math
import os
import time
import urllib.parse
import urllib.request

from .poolers import Pooler
from .programs import PASSWORD, ROOT, Programs, boltbouncer, fail, free_port, python_with_driver, run, step

DASHBOARD = ROOT / "deploy/grafana/boltbouncer.json"
RULES = ROOT / "deploy/prometheus"
# So few connections that clients wait, and some in vain.
LIMITS = {"max_connection_pool_size": 2, "max_parked_connections": 0, "connection_acquisition_timeout": 1}
VARIABLES = {"$__rate_interval": "15s", "$instance": ".*"}
ANSWERS_MAX_S = 60


def main(head):
    form = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=head, formatter_class=form).parse_args()
    step("alert rules")
    run("promtool", "check", "config", RULES / "prometheus.yml")
    run("promtool", "test", "rules", RULES / "alerts.test.yml")
    binary, python = boltbouncer(), python_with_driver()
    with Programs() as programs:
        words = ["sandbox", "--listen", "127.0.0.1:0", "--password", PASSWORD]
        sandbox = programs.start("sandbox", binary, *words)
        pooler = Pooler(programs, binary, sandbox.uri, LIMITS)
        server = Prometheus(programs, pooler.admin)
        environment = dict(os.environ, NEO4J_URI=pooler.uri, NEO4J_PASSWORD=PASSWORD)
        script = ROOT / "scripts/measure/dashboard_load.py"
        programs.start("load", python, script, is_ready=lambda: True, env=environment)
        step("every query of the dashboard")
        server.expect_rules()
        for title, query in queries():
            print(f"{server.expect_data(title, query):4} series  {title}", flush=True)


def queries():
    """The title of each panel with each of its queries, as Grafana would send them."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"]
            for name, value in VARIABLES.items():
                query = query.replace(name, value)
            yield panel["title"], query


class Prometheus:
    """A real one, which scrapes a pooler every second."""

    def __init__(self, programs, target):
        config = programs.folder / "prometheus.yml"
        scrape = {"job_name": "boltbouncer", "static_configs": [{"targets": [target]}]}
        every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        rules = [str(RULES / "alerts.yml")]
        config.write_text(json.dumps({"global": every, "rule_files": rules, "scrape_configs": [scrape]}))
        self.url = f"http://127.0.0.1:{free_port()}"
        words = [f"--config.file={config}", f"--storage.tsdb.path={programs.folder / 'prometheus'}"]
        words.append(f"--web.listen-address={self.url.removeprefix('http://')}")
        programs.start("prometheus", "prometheus", *words, is_ready=self.is_ready)

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def ask(self, path, **parameters):
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def expect_rules(self):
        """All rules have been evaluated without an error."""
        def rules():
            return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

        until = time.monotonic() + ANSWERS_MAX_S
        while not (found := rules()) or any(rule["health"] != "ok" for rule in found):
            if time.monotonic() > until:
                fail(f"not all rules work: {[(rule['name'], rule.get('lastError')) for rule in found]}")
            time.sleep(0.2)

    def expect_data(self, title, query):
        """How many series a query returns with a number, once there are any."""
        until = time.monotonic() + ANSWERS_MAX_S
        while True:
            result = self.ask("query", query=query)["result"]
            numbers = [series for series in result if not math.isnan(float(series["value"][1]))]
            if numbers:
                return len(numbers)
            if time.monotonic() > until:
                fail(f"{title}: no data for {query}")
            time.sleep(0.2)
