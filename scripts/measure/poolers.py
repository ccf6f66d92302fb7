"""A pooler of the campaigns: its configuration, its admin numbers, and its end."""

import json
import re
import signal
import subprocess
import time
import urllib.request

from .programs import STOP_MAX_S, fail, free_port

QUIET_MAX_S = 30


class Pooler:
    def __init__(self, programs, binary, upstream, limits, name="pooler", tls="", listen="127.0.0.1:0"):
        self.programs, self.binary, self.upstream, self.tls, self.name = programs, binary, upstream, tls, name
        self.file = programs.folder / f"{name}.toml"
        self.admin, self.listen = f"127.0.0.1:{free_port()}", listen
        self.configure(limits)
        self.start()

    def configure(self, limits):
        keys = "\n".join(f"{key} = {value}" for key, value in limits.items())
        head = f'upstream = "{self.upstream}"\n{self.tls}\n[log]\nlevel = "error"\n'
        self.file.write_text(f"{head}[limits]\n{keys}\n")

    def start(self):
        words = ["serve", "--config", self.file, "--listen", self.listen, "--admin", self.admin]
        self.program = self.programs.start(self.name, self.binary, *words)
        self.uri = self.program.uri
        self.listen = self.uri.partition("://")[2]  # Where it is found again after a restart.

    def reload(self, limits):
        self.configure(limits)
        self.program.process.send_signal(signal.SIGHUP)

    def drain(self):
        """Ends it in order; the code of its exit, or None if it had to be killed."""
        self.programs.running.remove(self.program)
        self.program.process.terminate()
        try:
            return self.program.process.wait(STOP_MAX_S)
        except subprocess.TimeoutExpired:
            self.program.process.kill()
            self.program.process.wait()
            return None

    def ask(self, path):
        with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=10) as answer:
            return answer.read().decode()

    def pools(self):
        """What /api/v1/pools says of all pools together, and how many upstream connections are open."""
        pools, metrics = json.loads(self.ask("/api/v1/pools")), self.ask("/metrics")
        names = ("clients", "cl_waiting", "sv_active", "sv_idle", "sv_login")
        sums = {name: sum(pool[name] for pool in pools) for name in names}
        opened, closed = (number(metrics, f"upstream_connections_{end}_total") for end in ("opened", "closed"))
        return {**sums, "open": opened - closed, "opened": opened}

    def when_quiet(self):
        """The numbers when nobody has anything left to do; those that there are if that never comes."""
        until = time.monotonic() + QUIET_MAX_S
        while True:
            pools = self.pools()
            if not any(pools[name] for name in ("clients", "cl_waiting", "sv_active", "sv_login")):
                return pools
            if time.monotonic() > until:
                return pools
            time.sleep(0.2)

    def errors(self):
        """How often each limit or failure was reached."""
        found = re.findall(r'^boltbouncer_errors_total\{(.*)\} (\d+)', self.ask("/metrics"), re.MULTILINE)
        counts = {re.search(r'reason="([^"]*)"', labels).group(1): int(count) for labels, count in found}
        return {reason: count for reason, count in sorted(counts.items()) if count}


def number(metrics, name):
    found = re.search(rf"^boltbouncer_{name} (\d+)", metrics, re.MULTILINE)
    return int(found.group(1)) if found else fail(f"the pooler has no metric {name}")


def certificate(folder):
    """Makes a certificate for the pooler; the section of its configuration."""
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    files = ["-keyout", folder / "pooler.key", "-out", folder / "pooler.crt"]
    subprocess.run([*words, *files], check=True, stderr=subprocess.DEVNULL)
    return '[tls]\ncertificate = "pooler.crt"\nkey = "pooler.key"\nrequired = true\n'
