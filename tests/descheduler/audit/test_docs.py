"""The document of the audit tells every finding with what helps."""

from pathlib import Path

import pytest

from tests.descheduler.audit.test_findings import FINDINGS
from ullage.model.codes import CODES

DOCUMENT = Path(__file__).parents[3] / "docs" / "audit.md"


@pytest.mark.parametrize("code", FINDINGS)
def test_every_finding_stands_in_the_document(code: str) -> None:
    (row,) = (line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{code}` |"))
    assert CODES[code].meaning in row
    assert row.endswith(f"| {CODES[code].remedy} |")
