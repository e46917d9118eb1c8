"""``python -m extender``: the same as ``ullage extender``."""

from __future__ import annotations

import sys

from ullage.cli import run
from ullage.commands import Console

if __name__ == "__main__":
    sys.exit(run(["extender", *sys.argv[1:]], Console()))
