"""The pages of the loop over HTTP: the plan as JSON and as a report, status, metrics, health."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import msgspec
from aiohttp import web

from descheduler.loop.board import Board, Status
from descheduler.loop.telling import CONTENT_TYPE, Metrics
from ullage.errors import UsageError
from ullage.serving.address import Address

_INDEX = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Ullage descheduler</title>
<ul><li><a href="report">Report of the newest plan</a><li><a href="plan">The plan as JSON</a>
<li><a href="status">Status</a><li><a href="metrics">Metrics</a></ul></html>"""
_NO_PLAN = "There is no plan yet: the cluster is not known well enough. See /status.\n"


class HttpServer:
    """Serves the board.

    Parameters
    ----------
    board
        The newest cycle.
    status
        Gives the state of the service.
    metrics
        What is told to Prometheus.
    refresh_seconds
        How often a browser that shows the report asks for it again.
    """

    def __init__(self, board: Board, status: Callable[[], Status], metrics: Metrics, refresh_seconds: float) -> None:
        self._board, self._status, self._metrics = board, status, metrics
        self._refresh = str(max(1, round(refresh_seconds)))
        app = web.Application(client_max_size=1024)
        app.add_routes(
            [
                web.get("/", _index),
                web.get("/plan", self._plan),
                web.get("/report", self._report),
                web.get("/status", self._told),
                web.get("/metrics", self._counted),
                web.get("/healthz", _alive),
                web.get("/readyz", self._ready),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        self.port = 0

    async def start(self, address: Address, tls: ssl.SSLContext | None = None) -> None:
        """Listen.

        Raises
        ------
        UsageError
            The address cannot be listened on.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, address.host, address.port, ssl_context=tls)
        try:
            await site.start()
        except OSError as error:
            raise UsageError(f"{address}: cannot be listened on ({error.strerror})", "is the port taken?") from None
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """End; calls under way get a second."""
        await self._runner.cleanup()

    async def _plan(self, request: web.Request) -> web.Response:
        del request
        shown = self._board.shown
        if shown is None:
            return web.Response(status=503, text=_NO_PLAN)
        return web.Response(body=shown.json, content_type="application/json", charset="utf-8")

    async def _report(self, request: web.Request) -> web.Response:
        del request
        shown = self._board.shown
        if shown is None:
            return web.Response(status=503, text=_NO_PLAN, headers={"Refresh": "2"})
        return web.Response(
            body=shown.html, content_type="text/html", charset="utf-8", headers={"Refresh": self._refresh}
        )

    async def _told(self, request: web.Request) -> web.Response:
        del request
        return web.Response(body=msgspec.json.encode(self._status()), content_type="application/json")

    async def _counted(self, request: web.Request) -> web.Response:
        del request
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def _ready(self, request: web.Request) -> web.Response:
        del request
        ready = self._board.is_ready
        return web.Response(status=200 if ready else 503, text="ok\n" if ready else "no verdict yet\n")


async def _alive(request: web.Request) -> web.Response:
    del request
    return web.Response(text="ok\n")


async def _index(request: web.Request) -> web.Response:
    del request
    return web.Response(text=_INDEX, content_type="text/html")
