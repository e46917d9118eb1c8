from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Iterator

import pytest

from descheduler.policy.engines import ENGINES, engine
from tests.builders import Cluster
from tests.descheduler.policy.brute import over
from tests.descheduler.policy.making import configuration, moves, node, plan
from ullage.errors import ConfigError, EngineError
from ullage.model.labels import Requirement
from ullage.model.placement import Placement, PodTerm
from ullage.model.state import ClusterState

APP = (Requirement("app", "In", ("a",)),)
APART = Placement(anti_affinity=(PodTerm("kubernetes.io/hostname", APP, ("shop",)),))


def two_needed(placement: Placement | None = None, **labels: str) -> Cluster:
    """n1 is over in CPU by one VM and in memory by others: the bound says 1 move, 2 are needed."""
    cluster = Cluster().node("n1").node("n2").node("n3")
    for name, cores, gib in (("c1", 5, 1), ("c2", 2, 0), ("m1", 0, 30), ("m2", 0, 29)):
        cluster.vm(
            f"shop/{name}",
            "n1",
            guest="4Gi",
            use_cpu=cores,
            use_memory=f"{gib}Gi",
            placement=placement,
            labels=labels,
        )
    return cluster


def test_an_unknown_engine_lists_the_known_ones():
    with pytest.raises(ConfigError, match="unknown engine 'magic'") as error:
        engine("magic")
    assert error.value.path == "planning.engine"
    assert error.value.hint == f"known: {', '.join(ENGINES)}"
    with pytest.raises(ConfigError):
        plan(two_needed().build(), engine="magic")


@pytest.mark.parametrize("name", ["greedy", "exact"])
def test_both_engines_need_two_moves_here(name):
    made = plan(two_needed().build(), engine=name)
    assert over(made) == []
    assert len(made.spec.moves) == 2
    assert made.status.engine == name
    assert made.status.lower_bound.moves == 1
    assert made.status.notes == ()


def test_full_requests_elsewhere_do_not_stop_the_exact_engine():
    cluster = two_needed().node("n4").vm("shop/full", "n4", requests_cpu=8, requests_memory="64Gi", use_memory="1Gi")
    made = plan(cluster.build(), engine="exact")
    assert (made.status.engine, len(made.spec.moves), made.status.notes) == ("exact", 2, ())


def test_a_node_between_target_and_threshold_does_not_stop_the_exact_engine():
    made = plan(two_needed().node("n4", use_cpu=6, use_memory=0).build(), engine="exact", high=0.8, target=0.7)
    assert (made.status.engine, len(made.spec.moves), made.status.notes) == ("exact", 2, ())


def chain() -> ClusterState:
    """n1 and n2 are over, and what n1 has to lose fits on n2 only after n2 came down, or the other way round."""
    return (
        Cluster()
        .node("n1", cpu=8, memory="128Gi")
        .node("n2", cpu=16)
        .node("n3", cpu=4)
        .vm("shop/p", "n1", use_cpu=4, use_memory="1Gi")
        .vm("shop/q", "n1", use_cpu=3, use_memory="1Gi")
        .vm("shop/r", "n2", use_cpu=0.5, use_memory="20Gi")
        .vm("shop/s", "n2", use_cpu=0.5, use_memory="34Gi")
        .build()
    )


@pytest.mark.parametrize("name", ["greedy", "exact"])
def test_a_chain_is_put_into_an_order_that_works(name):
    made = plan(chain(), engine=name)
    assert over(made) == []
    assert len(made.spec.moves) == 2
    (first, second) = made.spec.moves
    assert first.source != second.source


def test_what_would_have_to_move_at_once_is_not_planned():
    cluster = Cluster().node("n1").node("n2").vm("shop/p", "n1", use_cpu=4, use_memory="1Gi")
    cluster.vm("shop/q", "n1", use_cpu=3, use_memory="1Gi").vm("shop/r", "n2", use_cpu=0.5, use_memory="30Gi")
    made = plan(cluster.vm("shop/s", "n2", use_cpu=0.5, use_memory="26Gi").build(), engine="exact")
    assert made.spec.moves == ()
    assert (made.status.engine, over(made)) == ("greedy", ["n1", "n2"])
    (note,) = made.status.notes
    assert note.code == "engine-fallback"
    assert "move by move" in note.text


def test_rules_beyond_the_model_make_the_greedy_plan_stand():
    # Each of the two may leave for either node, but not both for the same one: the model does not know.
    apart = two_needed(APART, app="a").build()
    made = plan(apart, engine="exact")
    assert over(made) == []
    assert len({m.target for m in made.spec.moves}) == 2
    assert made.status.engine in ("exact", "greedy")
    fell_back = made.status.engine == "greedy"
    assert fell_back == bool(made.status.notes)


def test_goals_out_of_reach_make_the_greedy_plan_stand():
    cluster = two_needed().node("n4", use_cpu=7.5).build()
    made = plan(cluster, engine="exact")
    assert made.status.engine == "greedy"
    (note,) = [n for n in made.status.notes if n.code == "engine-fallback"]
    assert "no plan that reaches the goal in full" in note.text
    assert over(made) == ["n4"]
    assert len(made.spec.moves) == 2


@pytest.mark.parametrize("name", ["greedy", "exact"])
def test_bytes_are_what_is_spared_when_bytes_are_to_be_spared(name):
    cluster = Cluster().node("n1").node("n2").vm("shop/fat", "n1", use_cpu=1, use_memory="30Gi", guest="30Gi")
    for i in range(3):
        cluster.vm(f"shop/thin-{i}", "n1", use_cpu=0.5, use_memory="1Gi", guest="1Gi")
    cluster.vm("shop/stay", "n1", use_cpu=4.5, use_memory="20Gi", live_migratable=False)
    few = plan(cluster.build(), engine=name, minimize="moves")
    light = plan(cluster.build(), engine=name, minimize="bytes")
    assert moves(few) == [("fat", "n1", "n2")]
    assert [m.workload.name[:4] for m in light.spec.moves] == ["thin", "thin"]
    assert (few.status.minimize, light.status.minimize) == ("moves", "bytes")
    assert light.status.summary.bytes == 2 * 2**30
    assert light.status.lower_bound.bytes <= light.status.summary.bytes


@pytest.mark.parametrize("name", ["greedy", "exact"])
def test_between_as_many_moves_fewer_bytes_win(name):
    cluster = Cluster().node("n1").node("n2").vm("shop/fat", "n1", use_cpu=1, use_memory="30Gi", guest="30Gi")
    cluster.vm("shop/slim", "n1", use_cpu=1, use_memory="2Gi").vm("shop/stay", "n1", use_cpu=5, live_migratable=False)
    assert moves(plan(cluster.build(), engine=name)) == [("slim", "n1", "n2")]


@pytest.mark.parametrize(("limit", "left"), [(0, 2), (1, 1), (2, 0), (3, 0)])
@pytest.mark.parametrize("name", ["greedy", "exact"])
def test_the_limit_on_moves_holds(name, limit, left):
    cluster = Cluster()
    for n in ("n1", "n2"):
        cluster.node(n).vm(f"shop/a-{n}", n, use_cpu=5).vm(f"shop/b-{n}", n, use_cpu=2)
    made = plan(cluster.node("n3").node("n4").build(), engine=name, max_moves=limit)
    assert len(made.spec.moves) == min(limit, 2)
    assert len(over(made)) == left
    assert [node(made, n).code for n in over(made)] == ["node-over-budget"] * left


class _Missing(importlib.abc.MetaPathFinder):
    """An import system without HiGHS."""

    def find_spec(self, fullname: str, _path: object = None, _target: object = None) -> None:
        if fullname == "highspy":
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


@pytest.fixture
def without_highs() -> Iterator[None]:
    loaded = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "highspy"}
    finder = _Missing()
    sys.meta_path.insert(0, finder)
    yield
    sys.meta_path.remove(finder)
    sys.modules.update(loaded)


@pytest.mark.usefixtures("without_highs")
def test_the_exact_engine_says_what_to_install():
    with pytest.raises(EngineError, match="needs HiGHS") as error:
        plan(two_needed().build(), engine="exact")
    assert "pip install 'ullage[exact]'" in error.value.hint


@pytest.mark.usefixtures("without_highs")
def test_the_default_engine_needs_no_solver():
    assert len(plan(two_needed().build()).spec.moves) == 2


def test_a_solver_out_of_time_leaves_a_note():
    # What takes CPU takes no memory, so that the bound is half of what is needed, and the solver has to prove it.
    cluster = Cluster()
    for n in range(6):
        cluster.node(f"n{n}", cpu=16, memory="64Gi").node(f"m{n}", cpu=16, memory="64Gi")
        for i in range(20):
            cores, gib = 0.4 + 0.027 * ((7 * i + n) % 31), 1.7 + 0.11 * ((11 * i + 5 * n) % 29)
            cluster.vm(f"shop/c{n}-{i:02}", f"n{n}", guest="1Gi", use_cpu=cores, use_memory=0)
            cluster.vm(f"shop/m{n}-{i:02}", f"n{n}", guest="1Gi", use_cpu=0, use_memory=gib * 2**30)
    config = configuration(engine="exact", exact_time_limit_seconds=0.001, rounds=1)
    made = plan(cluster.build(), config=config)
    assert made.spec.moves
    assert len(made.spec.moves) > made.status.lower_bound.moves
    (note,) = made.status.notes
    assert note.code == "engine-fallback"
    assert made.status.engine == "greedy" or "time was up" in note.text
