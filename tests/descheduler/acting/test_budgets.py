from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descheduler.acting.budgets import Allowance, Flying
from descheduler.policy.memory import Moved
from ullage.config.schema import Budgets
from ullage.model.state import KubeVirt

NOW = 1_000_000.0
PLENTY = Budgets(1000, None, 100, 100, 100, 100)


def flying(uid="u", source="n1", target="n2", namespace="shop", owner=""):
    return Flying(uid, source, target, namespace, owner)


def refuses(budgets: Budgets, wanted: Flying, others=(), begun=(), kubevirt=None) -> str:
    return Allowance(budgets, kubevirt).refuses(wanted, others, begun, NOW)


def limited(**limits: int) -> Budgets:
    return Budgets(**{**{f: getattr(PLENTY, f) for f in PLENTY.__struct_fields__}, **limits})


@pytest.mark.parametrize(
    ("budgets", "other", "code"),
    [
        (limited(in_flight_per_cluster=1), flying(source="x", target="y"), "budget-cluster"),
        (limited(in_flight_out_per_node=1), flying(target="y"), "budget-node-out"),
        (limited(in_flight_in_per_node=1), flying(source="x"), "budget-node-in"),
        (limited(in_flight_per_owner=1), flying(source="x", target="y", owner="web"), "budget-owner"),
    ],
)
def test_what_is_under_way_counts_whoever_began_it(budgets, other, code):
    assert refuses(budgets, flying(owner="web")) == ""
    assert refuses(budgets, flying(owner="web"), [other]) == code


def test_those_without_an_owner_share_none():
    assert refuses(limited(in_flight_per_owner=1), flying(), [flying(source="x", target="y")]) == ""


def test_owners_of_one_name_in_two_namespaces_are_two():
    other = flying(source="x", target="y", namespace="bank", owner="web")
    assert refuses(limited(in_flight_per_owner=1), flying(owner="web"), [other]) == ""


def test_moves_of_the_last_hour_count_and_older_ones_do_not():
    begun = [Moved("a", NOW - 3599, namespace="shop"), Moved("b", NOW - 3601, namespace="shop")]
    assert refuses(limited(moves_per_hour=1), flying(), begun=begun) == "budget-hour"
    assert refuses(limited(moves_per_hour=2), flying(), begun=begun) == ""
    assert refuses(limited(moves_per_namespace_per_hour=1), flying(), begun=begun) == "budget-namespace-hour"
    assert refuses(limited(moves_per_namespace_per_hour=1), flying(namespace="bank"), begun=begun) == ""


def test_the_lower_of_our_limit_and_that_of_kubevirt_counts():
    kubevirt = KubeVirt(parallel_migrations_per_cluster=1, parallel_outbound_migrations_per_node=3)
    allowance = Allowance(limited(in_flight_out_per_node=2), kubevirt)
    assert (allowance.per_cluster, allowance.out_per_node) == (1, 2)


def test_what_is_left_is_never_below_nothing():
    allowance = Allowance(limited(in_flight_per_cluster=1, moves_per_hour=5))
    assert allowance.left([flying(), flying()], [Moved("a", NOW)], NOW) == {"cluster": 0, "hour": 4}


MOVES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from("xy")), max_size=40)


@given(MOVES, st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.integers(1, 10))
def test_no_limit_is_ever_passed(wanted, cluster, out, into, hour):
    budgets = Budgets(hour, None, cluster, out, into, 1)
    allowance, under_way, begun = Allowance(budgets), [], []
    for number, (source, target, owner) in enumerate(wanted):
        move = Flying(str(number), source, target, "shop", owner)
        if not allowance.refuses(move, under_way, begun, NOW):
            under_way.append(move)
            begun.append(Moved(move.uid, NOW))
    assert len(under_way) <= min(cluster, hour)
    for node in "abc":
        assert sum(f.source == node for f in under_way) <= out
        assert sum(f.target == node for f in under_way) <= into
    assert len({f.owner for f in under_way}) == len(under_way)
