"""Where shared data lie, which are not part of the project."""

from __future__ import annotations

import os
from pathlib import Path


def shared(name: str) -> Path | None:
    """Path of a file or folder of the shared data; ``None`` if it is not there.

    Looked for in the folder that the environment variable ULLAGE_DATA names, else in ``../shared/data`` beside the project.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    found = Path(os.environ.get("ULLAGE_DATA") or beside) / name
    return found if found.exists() else None
