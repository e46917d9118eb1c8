"""Why: answers from a saved plan."""

import pytest

from descheduler.report import parse, render, why
from tests.descheduler.report import samples
from ullage.errors import UsageError


@pytest.fixture(scope="module")
def plan():
    return samples.small()


@pytest.mark.parametrize("subject", ["web-2", "shop/web-2", "vmi/web-2", "vm/shop/web-2", " vmi/shop/web-2 "])
def test_a_move_is_explained(plan, subject: str) -> None:
    lines = why(plan, subject).splitlines()
    assert lines[:3] == [
        "vmi/shop/web-2 moves from worker-07 to worker-05, step 2 of 5.",
        "It brings 22 GiB of memory and 6.00 cores of CPU use.",
        "The live migration should take 54 s.",
    ]
    assert lines[3].startswith("Why: worker-07 is over: memory above 85.0 %")
    assert lines[3].endswith("[relieve]")
    assert "worker-05: fit, CPU 26.7% -> 38.4%, memory 34.6% -> 46.7%" in lines
    assert "If memory ran out on worker-07 before the plan, it would be number 1 to be evicted." in lines


def test_a_refusal_is_explained_with_what_helps(plan) -> None:
    assert why(plan, "pod/shop/queue-0").splitlines() == [
        "pod/shop/queue-0 stays on worker-07.",
        "Why: budget queue allows 0 disruptions [disruption-budget]",
        "What disruption-budget means: Its PodDisruptionBudget allows no further disruption.",
        "What helps: Raise the budget, or wait until its pods are healthy.",
    ]


@pytest.mark.parametrize("subject", ["worker-07", "node/worker-07"])
def test_a_node_is_explained(plan, subject: str) -> None:
    lines = why(plan, subject).splitlines()
    assert lines[0] == "node/worker-07 is over -> fit."
    assert lines[1] == "CPU 88.3% -> 72.3% of 64 cores (over above 85%, target 80%)."
    assert lines[2] == "Memory 93.4% -> 79.9% of 256 GiB (over above 85%, target 80%)."
    start = lines.index("Moves away (2):")
    assert lines[start + 1] == "  vmi/shop/web-2, 22 GiB, to worker-05"
    assert "Evicted first if memory ran out: shop/web-2, platform/cache-1 -> not known." in lines


def test_a_node_that_stays_over_says_why(plan) -> None:
    text = why(plan, "worker-19")
    assert "The plan moves nothing to it and nothing away." in text
    assert "14 of 14 workloads may not move: 9 not-live-migratable, 5 daemonset [node-over-no-victim]" in text
    assert "Refused as not-live-migratable: KubeVirt says that this VM cannot be migrated live (9):" in text
    assert "  vmi/ml/gpu-8: LiveMigratable is False: host device gpu-8" in text


def test_long_lists_are_cut_with_a_count(plan) -> None:
    assert "  and 2 more" in why(plan, "worker-03").splitlines()


def test_an_unknown_name_gets_the_nearest(plan) -> None:
    with pytest.raises(UsageError, match="has the name 'worker-77'") as caught:
        why(plan, "worker-77")
    assert caught.value.hint == "did you mean worker-17 or worker-07 or worker-22?"
    with pytest.raises(UsageError):
        why(plan, "pod/web-2")
    with pytest.raises(UsageError):
        why(plan, "")


def test_a_name_of_several_objects_lists_them() -> None:
    builder = samples.Builder(nodes=[samples.Node("web", 0.5, 0.9), samples.Node("b", 0.1, 0.1)])
    builder.move("web", "web", "b")
    builder.refuse("web", "web", "daemonset", "", "shop")
    builder.refuse("web", "web", "new-code", "of a later version", "other")
    plan = builder.plan()
    with pytest.raises(UsageError, match="'web' is the name of 4 objects") as caught:
        why(plan, "web")
    assert "node/web, pod/other/web, pod/shop/web, vmi/shop/web" in caught.value.message
    with pytest.raises(UsageError, match="2 objects"):
        why(plan, "shop/web")
    assert "[daemonset]" in why(plan, "pod/shop/web")
    assert why(plan, "other/web").splitlines()[1:] == ["Why: of a later version [new-code]"]


def test_every_name_of_a_hostile_plan_is_answered_harmlessly() -> None:
    plan = samples.hostile()
    for name in samples.HOSTILE:
        text = why(plan, f"node/{name}" if name == name.strip() else f"node/{name}".strip())
        assert text.replace("\n", "").isprintable()


def test_a_plan_that_was_read_back_answers_the_same(plan) -> None:
    assert why(parse(render(plan, "yaml"), "-"), "worker-19") == why(plan, "worker-19")
