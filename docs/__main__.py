"""``python -m docs`` writes the documents that are made from the code; ``make docs`` calls it."""

from __future__ import annotations

from pathlib import Path

from docs import DOCUMENTS


def main() -> None:
    """Write all documents into this folder."""
    folder = Path(__file__).parent
    for document in DOCUMENTS:
        path = folder / document.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document.text(), encoding="utf-8")


if __name__ == "__main__":
    main()
