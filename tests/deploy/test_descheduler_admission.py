"""The policies of the descheduler's base on a real API server: of nodes its own taint, of migrations its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from descheduler.executors.taint import EFFECT, KEY, Change, SoftTaints
from descheduler.executors.writer import Writer
from tests.controlplane.objects import node
from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until
from tests.standin.kubevirt.names import API
from ullage.sources.kube_api.connection import Connection

pytestmark = pytest.mark.xdist_group("control-plane")

NODES: Final = "/api/v1/nodes"
OURS: Final = {"key": KEY, "value": "1700000000", "effect": EFFECT}
DEDICATED: Final = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
TWICE: Final = {"key": "dedicated", "value": "db", "effect": "NoExecute"}
DATED: Final = {"key": "late", "effect": "NoExecute", "timeAdded": "2026-01-02T03:04:05Z"}
OURS_BUT_HARD: Final = {"key": KEY, "value": "1", "effect": "NoSchedule"}
FOREIGN: Final = [DEDICATED, DATED, TWICE, OURS_BUT_HARD]
"""Two of one key, and one of our key that is not ours."""
MERGE: Final = "application/merge-patch+json"


def room_for_none(name: str) -> dict[str, Any]:
    """A node on which the scheduler puts nothing: there is no kubelet to end a pod."""
    return node(name, pods="0")


@pytest.fixture(scope="module", autouse=True)
def in_force(account: Rest, admin: Rest) -> None:
    """Wait until the API server asks the policies; how soon it does is its own affair."""
    admin.post(NODES, room_for_none("probe"))
    until(lambda: _is_denied(account), "policy of nodes")
    until(lambda: _is_denied_migration(account), "policy of migrations")
    admin.delete(f"{NODES}/probe")


def _is_denied(account: Rest) -> bool:
    try:
        account.raw("PATCH", f"{NODES}/probe?dryRun=All", {"metadata": {"labels": {"a": "b"}}}, content=MERGE)
    except RestError as error:
        return "ullage-descheduler-nodes" in str(error)
    return False


def _is_denied_migration(account: Rest) -> bool:
    try:
        account.raw("POST", f"{migrations('default')}?dryRun=All", migration("probe"))
    except RestError as error:
        return "ullage-descheduler-migrations" in str(error)
    return False


@pytest.fixture
def tainted(admin: Rest) -> Iterator[str]:
    """A node with taints of others, once the controllers have left it alone."""
    name = "tainted"
    admin.post(NODES, room_for_none(name))
    until(lambda: not admin.get(f"{NODES}/{name}")["spec"].get("taints"), "node without taints")
    admin.patch(f"{NODES}/{name}", {"spec": {"taints": FOREIGN, "podCIDR": "10.9.0.0/24", "podCIDRs": ["10.9.0.0/24"]}})
    admin.patch(f"{NODES}/{name}", {"metadata": {"annotations": {"who": "admin"}, "labels": {"zone": "a"}}})
    yield name
    admin.delete(f"{NODES}/{name}")


def patch(client: Rest, name: str, body: object, kind: str = "merge") -> list[dict[str, Any]]:
    """Taints of the node after a patch."""
    found: list[dict[str, Any]] = client.patch(f"{NODES}/{name}", body, kind)["spec"].get("taints", [])  # type: ignore[arg-type]
    return found


def taints(*those: dict[str, str]) -> dict[str, Any]:
    return {"spec": {"taints": list(those)}}


def test_our_taint_is_added_renewed_and_removed_anywhere_among_others(account: Rest, tainted: str) -> None:
    renewed = {**OURS, "value": "1800000000"}
    for wanted in (
        [*FOREIGN, OURS],
        [*FOREIGN, renewed],
        FOREIGN,
        [OURS, *FOREIGN],
        [*FOREIGN[:2], renewed, *FOREIGN[2:]],
        FOREIGN,
    ):
        assert patch(account, tainted, taints(*wanted)) == wanted
    added = [{"op": "add", "path": "/spec/taints/-", "value": OURS}]
    assert patch(account, tainted, added, "json") == [*FOREIGN, OURS]
    assert patch(account, tainted, taints(*FOREIGN), "strategic") == FOREIGN


def test_a_node_without_taints_can_be_marked_and_unmarked(account: Rest, admin: Rest) -> None:
    admin.post(NODES, room_for_none("bare"))
    until(lambda: "taints" not in admin.get(f"{NODES}/bare")["spec"], "node without taints")
    assert patch(account, "bare", taints(OURS)) == [OURS]
    assert patch(account, "bare", {"spec": {"taints": None}}) == []
    assert patch(account, "bare", taints(OURS)) == [OURS]
    assert patch(account, "bare", taints()) == []
    admin.delete(f"{NODES}/bare")


def test_the_executor_works_with_the_rights_that_are_shipped(account_config: Path, admin: Rest, tainted: str) -> None:
    soft = SoftTaints(Writer(Connection.load(account_config), lambda _: ""))
    uid = admin.get(f"{NODES}/{tainted}")["metadata"]["uid"]
    for now, change in ((1e9, Change.ADDED), (1e9 + 800, Change.RENEWED)):
        assert [(c.node, c.change, c.text) for c in soft.reconcile({tainted: uid}, now)] == [(tainted, change, "")]
    assert [each.until_seconds for each in soft.listed()] == [1e9 + 1700]
    assert [(c.node, c.change, c.text) for c in soft.clear()] == [(tainted, Change.REMOVED, "")]
    assert admin.get(f"{NODES}/{tainted}")["spec"]["taints"] == FOREIGN


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param([*FOREIGN, OURS | {"key": "other"}], id="other key"),
        pytest.param([*FOREIGN, OURS | {"key": f"{KEY}-not"}], id="key that begins with ours"),
        pytest.param([*FOREIGN, OURS | {"key": f"x.{KEY}"}], id="key that ends with ours"),
        pytest.param([*FOREIGN, OURS | {"key": KEY.upper().replace("ULLAGE.DEV", "ullage.dev")}], id="key in capitals"),
        pytest.param([*FOREIGN, OURS | {"effect": "NoExecute"}], id="hard effect"),
        pytest.param([*FOREIGN, OURS, OURS | {"effect": "NoExecute"}], id="hard effect beside ours"),
        pytest.param([], id="no taints"),
        pytest.param([OURS], id="others replaced by ours"),
        pytest.param([DEDICATED, DATED, OURS_BUT_HARD], id="second one of a key removed"),
        pytest.param([DATED, TWICE, OURS_BUT_HARD, OURS], id="first one of a key removed"),
        pytest.param([DEDICATED, DATED, TWICE], id="one of our key and another effect removed"),
        pytest.param([*FOREIGN[:3], {**OURS_BUT_HARD, "value": "2"}], id="one of our key and another effect changed"),
        pytest.param([{**DEDICATED, "value": "web"}, DATED, TWICE, OURS_BUT_HARD], id="first one of a key changed"),
        pytest.param([DEDICATED, DATED, {**TWICE, "value": "web"}, OURS_BUT_HARD], id="second one of a key changed"),
        pytest.param([{**DEDICATED, "effect": "PreferNoSchedule"}, *FOREIGN[1:]], id="effect changed"),
        pytest.param(
            [DEDICATED, {**DATED, "timeAdded": "2026-01-02T03:04:06Z"}, TWICE, OURS_BUT_HARD], id="time changed"
        ),
        pytest.param([DEDICATED, TWICE, DATED, OURS_BUT_HARD], id="order"),
        pytest.param([*FOREIGN[::-1], OURS], id="order beside ours"),
    ],
)
def test_taints_of_others_are_not_touched(
    account: Rest, admin: Rest, tainted: str, wanted: list[dict[str, str]]
) -> None:
    with pytest.raises(RestError, match="leaves all others as they are") as refused:
        patch(account, tainted, taints(*wanted))
    assert refused.value.status == 422
    assert admin.get(f"{NODES}/{tainted}")["spec"]["taints"] == FOREIGN
    assert patch(admin, tainted, taints(*wanted)) == wanted  # other users may


SPEC, META = "nothing of a node's spec", "no metadata of a node"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spec": {"unschedulable": True}}, SPEC),
        ({"spec": {"providerID": "cloud://1"}}, SPEC),
        ({"spec": {"taints": [*FOREIGN, OURS], "unschedulable": True}}, SPEC),
        ({"metadata": {"labels": {"zone": "b"}}}, META),
        ({"metadata": {"labels": {"zone": None}}}, META),
        ({"metadata": {"labels": {"more": "x"}}, "spec": {"taints": [*FOREIGN, OURS]}}, META),
        ({"metadata": {"labels": None}}, META),
        ({"metadata": {"annotations": {"who": "me"}}}, META),
        ({"metadata": {"annotations": None}}, META),
        ({"metadata": {"finalizers": ["ullage.dev/mine"]}}, META),
        ({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}]}}, META),
    ],
)
def test_nothing_else_of_a_node_changes(
    account: Rest, admin: Rest, tainted: str, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(RestError, match=message):
        patch(account, tainted, change)
    admin.patch(f"{NODES}/{tainted}?dryRun=All", change)  # other users may


def test_a_cordon_is_not_lifted(account: Rest, admin: Rest, tainted: str) -> None:
    admin.patch(f"{NODES}/{tainted}", {"spec": {"unschedulable": True}})
    until(lambda: len(admin.get(f"{NODES}/{tainted}")["spec"]["taints"]) == 5, "taint of the cordon")
    with pytest.raises(RestError, match=SPEC):
        patch(account, tainted, {"spec": {"unschedulable": None}})
    foreign = admin.get(f"{NODES}/{tainted}")["spec"]["taints"]
    assert patch(account, tainted, taints(*foreign, OURS)) == [*foreign, OURS]


def test_with_too_wide_a_role_it_could_not_do_more(
    control_plane: ControlPlane, account: Rest, admin: Rest, tainted: str
) -> None:
    """Were a role too wide, the policy would hold all the same."""
    who = "--serviceaccount=ullage-system:ullage-descheduler"
    control_plane.kubectl("create", "clusterrolebinding", "too-wide", "--clusterrole=cluster-admin", who)
    try:
        path = f"{NODES}/{tainted}"
        until(lambda: sees_secrets(account), "rights that are too wide")
        found = admin.get(path)
        for verb, target, body in (
            ("DELETE", path, None),
            ("POST", NODES, room_for_none("new")),
            ("PATCH", f"{path}/status", {"status": {"conditions": []}}),
            ("PUT", f"{path}/status", found),
        ):
            with pytest.raises(RestError, match="by a patch of their taints, and in no other way"):
                account.raw(verb, target, body, content=MERGE if verb == "PATCH" else "application/json")
        with pytest.raises(RestError, match=SPEC):
            account.put(path, {**found, "spec": {**found["spec"], "unschedulable": True}})
    finally:
        control_plane.kubectl("delete", "clusterrolebinding", "too-wide")
        until(lambda: not sees_secrets(account), "the end of these rights")


def sees_secrets(account: Rest) -> bool:
    try:
        account.get("/api/v1/secrets")
    except RestError as error:
        if error.status != 403:
            raise
        return False
    return True


def migrations(namespace: str) -> str:
    return f"{API}/namespaces/{namespace}/virtualmachineinstancemigrations"


def migration(name: str, **labels: str) -> dict[str, Any]:
    meta = {"name": name, "labels": labels} if labels else {"name": name}
    kind = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstanceMigration"}
    return {**kind, "metadata": meta, "spec": {"vmiName": "db"}}


def test_migrations_of_others_are_left_alone(account: Rest, admin: Rest, namespace: str) -> None:
    path = migrations(namespace)
    account.post(path, migration("ours", **{"ullage.dev/plan": "p"}))
    account.delete(f"{path}/ours")
    admin.post(path, migration("theirs", **{"ullage.dev/planet": "earth"}))
    admin.post(path, migration("bare"))
    for name in ("theirs", "bare"):
        with pytest.raises(RestError, match="begins and cancels no migration that lacks the label"):
            account.delete(f"{path}/{name}")
    with pytest.raises(RestError, match="begins and cancels no migration that lacks the label"):
        account.post(path, migration("unmarked"))
    admin.delete(path)
