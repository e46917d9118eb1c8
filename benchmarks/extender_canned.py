"""A server that answers canned bytes, on the same connections as ours: what the transport alone costs."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from benchmarks.extender_payloads import PREFIX
from extender.http_protocol import Response
from extender.http_server import HttpServer


async def _serve(folder: Path) -> None:
    answers = {verb: Response(((folder / verb).read_bytes(),)) for verb in ("filter", "prioritize")}
    paths = {verb: f"{PREFIX}/{verb}".encode() for verb in answers}
    server = HttpServer({(b"POST", paths[verb]): lambda _, verb=verb: answers[verb] for verb in answers})
    await server.start("127.0.0.1", 0)
    print(server.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
