"""Documents that are made from the code are up to date."""

from pathlib import Path

import pytest

import docs
from ullage.model.codes import CODES

FOLDER = Path(docs.__file__).parent


@pytest.mark.parametrize("document", docs.DOCUMENTS, ids=[document.path for document in docs.DOCUMENTS])
def test_a_document_is_up_to_date(document: docs.Document) -> None:
    assert (FOLDER / document.path).read_text(encoding="utf-8") == document.text(), "run make docs"


def test_every_code_is_documented_once() -> None:
    text = docs.codes()
    assert [name for name in CODES if text.count(f"| `{name}` |") != 1] == []
