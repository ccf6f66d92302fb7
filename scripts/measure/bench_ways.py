"""The ways to a server that scripts/bench compares: direct, through HAProxy, and through poolers."""

from dataclasses import dataclass

from .programs import PASSWORD, free_port, is_listened_on

POOL_SIZE = 16


class Ways:
    """The servers, and what is started before them. `against` is another binary's path, or None."""

    def __init__(self, programs, neo4j, binary, against):
        self.programs, self.neo4j, self.binary, self.against = programs, neo4j, binary, against
        self.sandbox = self.start("sandbox", "sandbox", "--listen", "127.0.0.1:0", "--password", PASSWORD)
        self.link = self.start("link", "link", "--to", neo4j.uri, "--delay-ms", "20")

    def all(self, name, server):
        """All ways to a server, the direct one first: others are compared with that."""
        return {"direct": server, "haproxy": self.haproxy(name, server), **self.poolers(name, server)}

    def poolers(self, name, server):
        binaries = {"before": self.against, "pooled": self.binary}
        return {
            target: self.pooler(f"{name}-{target}", binary, server)
            for target, binary in binaries.items()
            if binary
        }

    def pooler(self, name, binary, server):
        file = self.programs.folder / f"{name}.toml"
        file.write_text(f'upstream = "{server.uri}"\n[limits]\nmax_connection_pool_size = {POOL_SIZE}\n')
        words = ["serve", "--config", file, "--listen", "127.0.0.1:0"]
        return self.programs.start(name, binary, *words)

    def start(self, name, *words):
        return self.programs.start(name, self.binary, *words)

    def haproxy(self, name, server):
        """One for each server: its processor time is to be known for each."""
        port = free_port()
        file = self.programs.folder / f"{name}-haproxy.cfg"
        file.write_text(HAPROXY.format(port=port, server=server.uri.removeprefix("bolt://")))
        words = ["haproxy", "-db", "-f", file]
        program = self.programs.start(f"{name}-haproxy", *words, is_ready=lambda: is_listened_on(port))
        return Relay(f"bolt://127.0.0.1:{port}", program.pid)


@dataclass(frozen=True)
class Relay:
    uri: str
    pid: int


def without(targets, name):
    return {target: at for target, at in targets.items() if target != name}


HAPROXY = """global
  maxconn 5000
defaults
  mode tcp
  option splice-auto
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen bolt
  bind 127.0.0.1:{port}
  server bolt {server}
"""
