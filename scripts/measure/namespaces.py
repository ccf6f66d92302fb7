"""Three network namespaces of our own: a client's and a server's, each with a cable to the pooler's."""

import os
import shutil
import subprocess

CLIENT, POOLER, SERVER = "client", "pooler", "server"
POOLER_FOR_CLIENTS, POOLER_FOR_SERVER = "10.77.1.1", "10.77.2.1"
CLIENT_ADDRESS, SERVER_ADDRESS = "10.77.1.2", "10.77.2.2"
CABLES = {CLIENT: (CLIENT_ADDRESS, POOLER_FOR_CLIENTS), SERVER: (SERVER_ADDRESS, POOLER_FOR_SERVER)}


def why_impossible():
    """Why there can be none here; empty if there can. Containers often may not make any."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip"):
        return "network namespaces need the command ip, of iproute2"
    trial = f"bb{os.getpid()}-trial"
    added = subprocess.run(["ip", "netns", "add", trial], capture_output=True, text=True)
    if added.returncode == 0:
        ip("netns", "del", trial)
    return added.stderr.strip()


class Namespaces:
    """They end with the block, and so do the cables in them."""

    def __enter__(self):
        self.added = []
        try:
            for side in (CLIENT, POOLER, SERVER):
                ip("netns", "add", self.name(side))
                self.added.append(self.name(side))
                ip("-n", self.name(side), "link", "set", "lo", "up")
            for side, addresses in CABLES.items():
                self.lay_cable(side, *addresses)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in self.added:
            ip("netns", "del", name)

    def name(self, side):
        return f"bb{os.getpid()}-{side}"

    def lay_cable(self, side, address, poolers_address):
        far, near = self.name(side), self.name(POOLER)
        ip("link", "add", side, "netns", far, "type", "veth", "peer", "name", side, "netns", near)
        for namespace, its_address in ((far, address), (near, poolers_address)):
            ip("-n", namespace, "address", "add", f"{its_address}/24", "dev", side)
            ip("-n", namespace, "link", "set", side, "up")

    def cut(self, side):
        """From now on nothing arrives from there or gets there, and neither side is told."""
        ip("-n", self.name(side), "link", "set", side, "down")

    def inside(self, side):
        """The words before a command that run it there."""
        return ["ip", "netns", "exec", self.name(side)]


def ip(*words):
    subprocess.run(["ip", *words], check=True)
