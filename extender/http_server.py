"""The HTTP server: routes, its connections, and how it ends."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from extender.http_protocol import HttpConnection, Limits, Request, Response

Route = Callable[[Request], Response]
"""Answers one request; must not raise, block, or keep its body."""

_SWEEP_SECONDS = 1.0
_JSON_ERRORS = {404: b'{"error":"there is nothing at this path"}', 405: b'{"error":"the method is not allowed here"}'}


class HttpServer:
    """Serves routes over HTTP/1.1.

    Parameters
    ----------
    routes
        What answers, by method and path, such as ``(b"GET", b"/healthz")``. HEAD is answered as GET without the body.
    limits
        What a connection may take.

    Attributes
    ----------
    draining
        Whether each connection ends with its next response.
    connections
        Number of open connections.
    """

    def __init__(self, routes: Mapping[tuple[bytes, bytes], Route], limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.draining = False
        self._routes = dict(routes)
        self._paths = {path for _, path in routes}
        self._open: set[HttpConnection] = set()
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._all_closed = asyncio.Event()
        self._all_closed.set()

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._open)

    @property
    def addresses(self) -> Sequence[tuple[str, int]]:
        """Host and port of each listening socket."""
        sockets = self._server.sockets if self._server is not None else ()
        return [each.getsockname()[:2] for each in sockets]

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen.

        Parameters
        ----------
        host, port
            Where; port 0 is any free one.
        tls
            Server context for HTTPS.

        Raises
        ------
        OSError
            The address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        handshake = 10.0 if tls is not None else None
        self._server = await loop.create_server(
            lambda: HttpConnection(self, loop.time),
            host,
            port,
            ssl=tls,
            ssl_handshake_timeout=handshake,
            ssl_shutdown_timeout=1.0 if tls is not None else None,
            backlog=128,
        )
        self._sweeper = asyncio.create_task(self._sweep_always())

    async def stop(self, grace_seconds: float) -> None:
        """Take no new connection, finish what is under way, and abort what is not finished in time.

        Parameters
        ----------
        grace_seconds
            How long requests under way may take.
        """
        if self._server is None or self._sweeper is None:
            return
        self.draining = True
        self._server.close()
        for connection in tuple(self._open):
            connection.drain()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all_closed.wait(), grace_seconds)
        for connection in tuple(self._open):
            connection.abort()
        self._sweeper.cancel()
        with suppress(asyncio.CancelledError):
            await self._sweeper

    def answer(self, request: Request) -> Response:
        """Answer by the route of the path."""
        method = b"GET" if request.method == b"HEAD" else request.method
        route = self._routes.get((method, request.path))
        if route is not None:
            return route(request)
        status = 405 if request.path in self._paths else 404
        return Response((_JSON_ERRORS[status],), status)

    def opened(self, connection: HttpConnection) -> bool:
        """Take note of a new connection; False if there are too many."""
        self._open.add(connection)
        self._all_closed.clear()
        return len(self._open) <= self.limits.connections and not self.draining

    def closed(self, connection: HttpConnection) -> None:
        """Forget a connection."""
        self._open.discard(connection)
        if not self._open:
            self._all_closed.set()

    def sweep(self, now: float) -> None:
        """Close the connections whose time has run out at `now`, on the loop's clock."""
        for connection in tuple(self._open):
            connection.expire(now)

    async def _sweep_always(self) -> None:
        # One look at all connections per second costs less than a timer per request.
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self.sweep(loop.time())
