"""Where the programs of a control plane are found.

Each program is looked for in this order: the file that ``TEST_ASSET_<PROGRAM>`` names, the folder that
``KUBEBUILDER_ASSETS`` names (the two conventions of envtest), the cache that ``make control-plane`` fills.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
MODULE = Path(__file__).parent
SOURCES = ("go.mod", "go.sum", "main.go")


class MissingProgramError(Exception):
    """A program of the control plane is nowhere; the text says how to get it."""


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Folder of the programs built from the Go module as it is now; another state of it has another folder."""
    digest = hashlib.sha256(b"\0".join((MODULE / name).read_bytes() for name in SOURCES))
    home = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", Path.home())) / ".cache"
    return Path(home) / "ullage" / "control-plane" / digest.hexdigest()[:16]


def find(program: str, environment: Mapping[str, str] = os.environ) -> Path:
    """File of one program.

    Raises
    ------
    MissingProgramError
        It is in none of the places.
    """
    variable = "TEST_ASSET_" + program.upper().replace("-", "_")
    places = [Path(environment[variable])] if environment.get(variable) else []
    if assets := environment.get("KUBEBUILDER_ASSETS"):
        places.append(Path(assets) / program)
    places.append(cache_folder(environment) / program)
    for place in places:
        if os.access(place, os.X_OK) and place.is_file():
            return place
    raise MissingProgramError(
        f"no {program}: run `make control-plane` (needs Go), or set KUBEBUILDER_ASSETS or {variable}"
    )


def missing(environment: Mapping[str, str] = os.environ) -> str | None:
    """Say why a whole control plane cannot be started; ``None`` if it can."""
    try:
        for program in PROGRAMS:
            find(program, environment)
    except MissingProgramError as error:
        return str(error)
    return None
