"""A state that another process reads."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extender.piecewise import receive, send
from extender.reading import load_apart, told_by
from simulator.generator import generate
from simulator.spec import ClusterSpec
from ullage.errors import UllageError
from ullage.sources.snapshot import encode

values = st.recursive(
    st.none() | st.integers() | st.text(max_size=3), lambda inner: st.tuples(inner, inner), max_leaves=5
)


@given(st.lists(values, max_size=4), st.integers(0, 5000), st.integers(1, 3))
def test_what_is_sent_is_received(items: list[object], length: int, times: int) -> None:
    long = tuple(f"n{number % 1500}" for number in range(length))
    value = {"items": items, "long": [long] * times, "other": (long[::-1], long)}
    pipe = io.BytesIO()
    send(value, pipe)
    pipe.seek(0)
    received = receive(pipe)
    assert received == value
    assert len({id(each) for each in received["long"]}) == 1, "what is one object stays one"


@given(st.integers(0, 200))
def test_what_ends_early_is_an_error(cut: int) -> None:
    pipe = io.BytesIO()
    send({"long": tuple(range(3000))}, pipe)
    half = io.BytesIO(pipe.getvalue()[: -1 - cut])
    with pytest.raises((EOFError, pickle.UnpicklingError)):
        receive(half)


def test_a_state_comes_back_as_it_is_and_cannot_be_written(tmp_path: Path) -> None:
    state = generate(ClusterSpec(nodes=30, workloads=2500, cordoned_share=0.0))
    path = tmp_path / "cluster.snapshot"
    path.write_bytes(encode(state))
    found = load_apart(path)
    assert encode(found) == path.read_bytes()
    for array in (found.nodes.allocatable, found.workloads.measures.value, found.workloads.node):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    assert np.array_equal(found.workloads.requests, state.workloads.requests)


def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "cluster.snapshot"
    path.write_text('{"apiVersion": "ullage.dev/v1alpha1", "kind": "ClusterSnapshot", "spec": 1}')
    with pytest.raises(UllageError, match="spec") as said:
        load_apart(path)
    assert "\n" not in said.value.message
    with pytest.raises(UllageError, match="no process can be started"):
        load_apart(Path("a" * 200_000))


def test_a_process_that_ends_early_is_told() -> None:
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"], stdout=subprocess.PIPE)
    assert told_by(process) == "the process that reads the state ended early, with status 7"
