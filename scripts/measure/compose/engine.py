"""A container engine of its own: podman, driven over its Docker-compatible API.

It must never touch containers, images, networks or volumes of somebody else. Images stay in the cache;
containers, networks and volumes live no longer than the test.
"""

import os
import re
import shlex
import shutil
import subprocess
import threading
from pathlib import Path

from ..programs import fail, quietly, said, step

# All paths are fixed, as the engine keeps to those that its storage was made with.
CONTAINERS = """[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{state}/tmp"
volume_path = "{state}/volumes"
[network]
network_backend = "netavark"
network_config_dir = "{state}/networks"
"""
STORAGE = """[storage]
driver = "overlay"
graphroot = "{cache}/storage"
runroot = "{state}/run"
"""
# No registry is ever asked.
REGISTRIES = """unqualified-search-registries = ["docker.io"]
[[registry]]
location = "docker.io"
blocked = true
"""


class Engine:
    def __init__(self, programs, cache):
        self.programs, self.cache = programs, cache
        self.had_chains = bool(chains("filter") + chains("nat"))
        self.ended = threading.Event()
        self.nurse = threading.Thread(target=self._nurse, daemon=True)
        state = cache / "engine"
        state.mkdir(parents=True, exist_ok=True)
        for file, text in (("containers", CONTAINERS), ("storage", STORAGE), ("registries", REGISTRIES)):
            path = programs.folder / f"{file}.conf"
            # Only these two names are filled in; TOML has no braces here.
            path.write_text(text.replace("{state}", str(state)).replace("{cache}", str(cache)))
            os.environ[VARIABLES[file]] = str(path)
        # Without systemd nobody runs health checks; the nurse does.
        os.environ["DISABLE_HC_SYSTEMD"] = "true"
        self.empty()  # What a killed test has left.

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        if self.nurse.is_alive():
            self.nurse.join()
        self.empty()
        if not self.had_chains:
            forget_chains()

    def serve(self):
        """Lets docker-compose come in."""
        socket = self.programs.folder / "podman.sock"
        # The Containerfile's cache mounts live in TMPDIR.
        build = self.cache / "build"
        build.mkdir(exist_ok=True)
        command = ["podman", "system", "service", "--time=0", f"unix://{socket}"]
        environment = dict(os.environ, TMPDIR=str(build))
        self.programs.start("engine", *command, is_ready=socket.exists, env=environment)
        os.environ.update(
            DOCKER_HOST=f"unix://{socket}", COMPOSE_DOCKER_CLI_BUILD="0", COMPOSE_HTTP_TIMEOUT="300"
        )
        self.nurse.start()

    def empty(self):
        for words in (
            ["rm", "--all", "--force", "--volumes", "--time", "2"],
            ["volume", "prune", "--force"],
            ["network", "prune", "--force"],
        ):
            subprocess.run(["podman", *words], capture_output=True)

    def _nurse(self):
        """Does what systemd's timers do for podman elsewhere: a check every three seconds until a container is
        healthy, as Docker does in the start period, then every thirty.
        """
        rounds = 0
        while not self.ended.wait(3):
            rounds += 1
            states = ["starting", "unhealthy"] + ([] if rounds % 10 else ["healthy"])
            listed = subprocess.run(
                ["podman", "ps", "--format", "{{.ID}} {{.Status}}"], capture_output=True, text=True
            ).stdout
            ill = re.findall(rf"^(\S+) .*\((?:{'|'.join(states)})\)$", listed, re.MULTILINE)
            check = ["timeout", "60", "podman", "healthcheck", "run"]
            checks = [subprocess.Popen([*check, one], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for one in ill]
            for running in checks:
                running.wait()


def install_packages():
    """Installs what is missing where that is possible, and says what to install where it is not."""
    missing = [name for name in ("podman", "runc", "docker-compose", "debootstrap") if not shutil.which(name)]
    if not Path("/usr/lib/podman/netavark").exists():
        missing += ["netavark", "aardvark-dns"]
    if not missing:
        return
    if not shutil.which("apt-get"):
        fail(f"install {' '.join(missing)} first")
    step(f"installing {' '.join(missing)}")
    quietly("apt-get", "update", "-qq")
    words = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, "iptables"]
    quietly(*words, env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))


def podman(*words):
    """What podman says."""
    return said("podman", *words)


def rules(table):
    """The firewall's, if there is one."""
    if not shutil.which("iptables-save"):
        return ""
    return subprocess.run(["iptables-save", "-t", table], capture_output=True, text=True).stdout


def chains(table):
    """Those of netavark, which it leaves behind."""
    return re.findall(r"^:(NETAVARK\S*)", rules(table), re.MULTILINE)


def forget_chains():
    for table in ("filter", "nat"):
        for rule in re.findall(r"^-A ([A-Z]* .*-j NETAVARK.*)", rules(table), re.MULTILINE):
            change_firewall(table, "-D", *shlex.split(rule))
        for action in ("-F", "-X"):
            for chain in chains(table):
                change_firewall(table, action, chain)


def change_firewall(table, *words):
    subprocess.run(["iptables", "-t", table, *words], capture_output=True)


VARIABLES = {
    "containers": "CONTAINERS_CONF",
    "storage": "CONTAINERS_STORAGE_CONF",
    "registries": "CONTAINERS_REGISTRIES_CONF",
}
