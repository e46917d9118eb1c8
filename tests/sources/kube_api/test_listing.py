from __future__ import annotations

import json
import threading

import pytest

from ullage.sources.kube_api.errors import UnreachableError
from ullage.sources.kube_api.listing import Listing


def _page(names: list[str], token: str) -> bytes:
    return json.dumps({"metadata": {"resourceVersion": "7", "continue": token}, "items": names}).encode()


def test_the_next_page_is_asked_for_while_one_is_read() -> None:
    asked = threading.Event()

    def fetch(query: object) -> bytes:
        if "continue" in dict(query):
            asked.set()
            return _page(["c"], "")
        return _page(["a", "b"], "more")

    listing = Listing(fetch, lambda: None)
    objects = listing.paged()
    assert bytes(next(objects)) == b'"a"'
    assert asked.wait(10.0)
    assert [bytes(each) for each in objects] == [b'"b"', b'"c"']
    assert (listing.version, listing.pages) == ("7", 2)


def test_what_a_page_raises_comes_after_the_objects_before_it() -> None:
    def fetch(query: object) -> bytes:
        if "continue" in dict(query):
            raise UnreachableError("away")
        return _page(["a", "b"], "more")

    listing, found = Listing(fetch, lambda: None), []
    with pytest.raises(UnreachableError, match="away"):
        found.extend(bytes(each) for each in listing.paged())
    assert listing.version == ""
    assert listing.pages == 1
