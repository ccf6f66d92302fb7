"""A relay that forgets connections which rest, as balancers and firewalls do: whatever comes later is
swallowed, and neither side is told. A program by itself: forgetful.py HOST:PORT SECONDS; prints its URI."""

import asyncio
import sys


class Flow:
    """A connection through the relay, and when a byte last passed."""

    def __init__(self, seconds):
        self.seconds, self.last = seconds, asyncio.get_running_loop().time()
        self.is_forgotten = False

    def passes(self):
        now = asyncio.get_running_loop().time()
        self.is_forgotten = self.is_forgotten or now - self.last > self.seconds
        self.last = now
        return not self.is_forgotten


async def carry(reader, writer, flow):
    while data := await reader.read(65536):
        if flow.passes():
            writer.write(data)
            await writer.drain()
    # The end of one direction is swallowed as well once the flow is forgotten.
    if flow.passes():
        writer.close()


async def main(target, seconds):
    host, port = target.split(":")

    async def relay(reader, writer):
        flow = Flow(float(seconds))
        to_server = await asyncio.open_connection(host, int(port))
        ways = carry(reader, to_server[1], flow), carry(to_server[0], writer, flow)
        await asyncio.gather(*ways, return_exceptions=True)
        writer.close()
        to_server[1].close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    print(f"bolt://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
