"""A full list of one resource, page by page, cut into raw objects without reading them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Final

import msgspec

from ullage.sources.kube_api.connection import Params
from ullage.sources.kube_api.errors import UnreadableError

FIRST_LIMIT: Final = 100
LEAST_LIMIT: Final = 50
MOST_LIMIT: Final = 500
"""Objects per page, as client-go asks for at most."""
_PAGE_BYTES: Final = 1_500_000
"""Aim for the size of a page: cutting it holds the interpreter for about 1.5 ms."""
_BATCH: Final = 64
"""Objects between two pauses."""


class _Meta(msgspec.Struct, gc=False, rename="camel"):
    resource_version: str
    continues: str | None = msgspec.field(default=None, name="continue")


class _Page(msgspec.Struct, gc=False):
    metadata: _Meta
    items: list[msgspec.Raw] | None


_PAGES: Final = msgspec.json.Decoder(_Page)


class Listing:
    """Objects of a consistent list; iterating sends the requests, and raises what they raise.

    Parameters
    ----------
    fetch
        Body of the collection for a query.
    pause
        Called now and then between objects, for other threads to run; may raise to end the listing.

    Attributes
    ----------
    version
        resourceVersion of the list, to watch from; empty before the end.
    pages
        How many pages were read.
    """

    def __init__(self, fetch: Callable[[Params], bytes], pause: Callable[[], None]) -> None:
        self._fetch = fetch
        self._pause = pause
        self.version = ""
        self.pages = 0

    def paged(self) -> Iterator[msgspec.Raw]:
        """All objects, a page of some 1.5 MB at a time; the next one is asked for while one is read."""
        version, limit = "", FIRST_LIMIT
        coming: Future[bytes] | None = _begun(self._fetch, {"limit": str(limit)})
        while coming is not None:
            body = coming.result()
            page = _decoded(body)
            self.pages += 1
            version = version or page.metadata.resource_version
            items = page.items or []
            limit = _next_limit(limit, len(body), len(items))
            token = page.metadata.continues
            # The server makes the next page while this one is read.
            coming = _begun(self._fetch, {"limit": str(limit), "continue": token}) if token else None
            yield from self._paced(items)
        self.version = version

    def at_once(self) -> Iterator[msgspec.Raw]:
        """All objects in one answer, where the server forgets pages faster than they are read."""
        page = _decoded(self._fetch({}))
        self.pages += 1
        yield from self._paced(page.items or [])
        self.version = page.metadata.resource_version

    def _paced(self, items: list[msgspec.Raw]) -> Iterator[msgspec.Raw]:
        for start in range(0, len(items), _BATCH):
            yield from items[start : start + _BATCH]
            self._pause()


def _begun(fetch: Callable[[Params], bytes], query: Params) -> Future[bytes]:
    """What `fetch` gives, or raises; a thread of its own asks, which nobody has to wait for."""
    coming: Future[bytes] = Future()

    def run() -> None:
        try:
            coming.set_result(fetch(query))
        except Exception as error:  # noqa: BLE001  # it is raised again where the result is asked for
            coming.set_exception(error)

    threading.Thread(target=run, name="next page", daemon=True).start()
    return coming


def _next_limit(limit: int, size_bytes: int, objects: int) -> int:
    fits = limit if objects == 0 else _PAGE_BYTES * objects // max(1, size_bytes)
    return min(max(fits, LEAST_LIMIT), MOST_LIMIT)


def _decoded(body: bytes) -> _Page:
    try:
        page = _PAGES.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UnreadableError(f"a list that cannot be read: {error}") from error
    if not page.metadata.resource_version:
        raise UnreadableError("a list without a resourceVersion")
    return page
