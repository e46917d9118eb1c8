from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner

from ullage.commands.overhead import command
from ullage.errors import InputError, QuantityError, UllageError, UsageError

SMALL = ["--guest", "32Gi", "--vcpus", "8", "--kubevirt", "1.4.0"]


def run(*args, stdin=None):
    return CliRunner().invoke(command, list(args), input=stdin)


def as_json(*args, stdin=None):
    result = run(*args, "-o", "json", stdin=stdin)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def vmi(**domain):
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {"name": "db", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"domain": {"cpu": {"sockets": 2, "cores": 4}, "memory": {"guest": "32Gi"}, **domain}},
        "status": {"phase": "Running"},
    }


def vm(**domain):
    return {"kind": "VirtualMachine", "spec": {"runStrategy": "Always", "template": {"spec": vmi(**domain)["spec"]}}}


def test_json_is_one_object():
    found = as_json(*SMALL)
    assert list(found) == ["requests", "limits", "overheadBytes", "parts"]
    assert found["requests"] == {"memoryBytes": 34739322881, "cpuMillis": 800}
    assert found["limits"] == {}
    assert found["overheadBytes"] == 379584513 == sum(part["bytes"] for part in found["parts"])
    assert found["parts"][0] == {"name": "pageTables", "bytes": 67108865}


def test_the_examples_of_the_help_keep_their_lines():
    lines = [line.strip() for line in run("--help").stdout.splitlines()]
    assert "ullage overhead --guest 32Gi --vcpus 8 --kubevirt 1.4.0" in lines
    assert not any("\\b" in line for line in lines)


def test_yaml_says_the_same():
    assert yaml.safe_load(run(*SMALL, "-o", "yaml").stdout) == as_json(*SMALL)


def test_the_table_shows_sizes_for_people_and_bytes():
    lines = run(*SMALL).stdout.splitlines()
    assert lines[0].split() == ["requests", "memory", "32.4Gi", "34739322881"]
    assert lines[1].split() == ["requests", "cpu", "800m"]
    assert lines[2].split() == ["limits", "memory", "none"]
    assert ["overhead", "362Mi", "379584513"] in [line.split() for line in lines]
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize(
    ("options", "request_bytes"),
    [
        (["--overcommit", "150"], 23263707137),
        (["--overcommit", "200"], 17525899265),
        (["--overcommit", "200", "--requests-memory", "32Gi"], 34739322881),
        (["--arch", "arm64"], 34739322881 + 128 * 2**20),
        (["--arch", "amd64"], 34739322881),
        (["--vfio"], 34739322881 + 2**30),
        (["--tpm"], 34739322881 + 53 * 2**20),
        (["--sev"], 34739322881 + 256 * 2**20),
        (["--exec-probes", "2"], 34739322881 + 120 * 2**20),
        (["--no-graphics"], 34739322881 - 16 * 2**20),
        (["--dedicated-cpus"], 34739322881 + 100 * 2**20),
        (["--overhead-ratio", "1.2"], 34739322881 + 75916000),
        (["--hugepages", "1Gi"], 379584513),
    ],
)
def test_every_option_counts(options, request_bytes):
    assert as_json(*SMALL, *options)["requests"]["memoryBytes"] == request_bytes


def test_hugepages_and_dedicated_cpus_show_their_own_amounts():
    assert as_json(*SMALL, "--hugepages", "1Gi")["requests"]["hugepagesBytes"] == 32 * 2**30
    pinned = as_json(*SMALL, "--dedicated-cpus")
    assert pinned["limits"] == pinned["requests"]
    assert pinned["requests"]["cpuMillis"] == 8000


@pytest.mark.parametrize(
    ("options", "limit"), [(["--quota-limits"], 69478645762), (["--quota-limits", "1.5"], 52108984321)]
)
def test_quota_limits(options, limit):
    assert as_json(*SMALL, *options)["limits"] == {"memoryBytes": limit}


@pytest.mark.parametrize("dump", [json.dumps, yaml.safe_dump])
@pytest.mark.parametrize("document", [vmi(), vm()])
def test_manifests_from_stdin(document, dump):
    found = as_json("-f", "-", "--kubevirt", "1.4.0", stdin=dump(document))
    assert found == as_json(*SMALL)


def test_a_manifest_from_a_file(tmp_path):
    path = tmp_path / "vmi.yaml"
    path.write_text(yaml.safe_dump(vmi()))
    assert as_json("-f", str(path), "--kubevirt", "1.7.1")["requests"]["memoryBytes"] == 34699476992


def test_all_that_a_manifest_can_say():
    document = vmi(
        resources={"requests": {"memory": "40Gi", "cpu": "2"}, "limits": {"memory": "48Gi"}},
        devices={
            "autoattachGraphicsDevice": False,
            "gpus": [{"name": "gpu"}],
            "tpm": {},
            "interfaces": [{"name": "default", "passtBinding": {}}],
        },
        launchSecurity={"snp": {}},
        ioThreads={"supplementalPoolThreadCount": 4},
        memory={"guest": "32Gi", "reservedOverhead": {"addedOverhead": "7Mi"}},
    )
    document["spec"]["architecture"] = "arm64"
    document["spec"]["livenessProbe"] = {"exec": {"command": ["true"]}}
    document["spec"]["readinessProbe"] = {"tcpSocket": {"port": 80}}
    document["spec"]["volumes"] = [
        {"name": "metrics", "downwardMetrics": {}},
        {"name": "os", "dataVolume": {"name": "x"}},
    ]
    found = as_json("-f", "-", "--kubevirt", "1.9.0", stdin=json.dumps(document))
    parts = {part["name"]: part["bytes"] / 2**20 for part in found["parts"]}
    assert "video" not in parts
    expected = {
        "arm64Firmware": 128,
        "vfio": 1024,
        "downwardMetrics": 1,
        "execProbes": 110,
        "sev": 256,
        "tpm": 53,
        "passt": 250,
    }
    assert expected.items() <= parts.items()
    assert parts["addedOverhead"] == 7
    assert parts["vcpus"] == 64
    assert found["requests"] == {"memoryBytes": 40 * 2**30 + found["overheadBytes"], "cpuMillis": 2000}
    assert found["limits"] == {"memoryBytes": 48 * 2**30 + found["overheadBytes"]}


def test_vcpus_come_from_the_cpu_limit_where_no_topology_is_set():
    document = vmi(cpu={"model": "host-model"}, resources={"limits": {"cpu": "2500m"}})
    found = as_json("-f", "-", "--kubevirt", "1.9.0", stdin=json.dumps(document))
    assert {part["name"]: part["bytes"] for part in found["parts"]}["vcpus"] == 3 * 8 * 2**20
    assert found["requests"]["cpuMillis"] == found["limits"]["cpuMillis"] == 2500


@pytest.mark.parametrize(
    ("args", "stdin", "kind", "said"),
    [
        (["--kubevirt", "1.4.0"], None, UsageError, "memory of the guest is missing"),
        (["--guest", "32Gx", "--kubevirt", "1.4.0"], None, UsageError, "--guest: '32Gx'"),
        (["--guest", "0", "--kubevirt", "1.4.0"], None, UsageError, "--guest: '0' is not above zero"),
        (["--guest", "-1Gi", "--kubevirt", "1.4.0"], None, UsageError, "--guest: '-1Gi'"),
        (["--guest", "1Gi", "--kubevirt", "latest"], None, UsageError, "'latest'"),
        ([*SMALL, "--quota-limits", "0.5"], None, UsageError, "--quota-limits: '0.5'"),
        ([*SMALL, "--quota-limits", "nan"], None, UsageError, "--quota-limits: 'nan'"),
        ([*SMALL, "--overhead-ratio", "nan"], None, UsageError, "overhead ratio nan"),
        ([*SMALL, "--overhead-ratio", "inf"], None, UsageError, "overhead ratio inf"),
        ([*SMALL, "--overhead-ratio", "0"], None, UsageError, "overhead ratio 0.0"),
        (["-f", "-", *SMALL], json.dumps(vmi()), UsageError, "cannot stand beside -f"),
        (["-f", "no/such.yaml", "--kubevirt", "1.4.0"], None, InputError, "no/such.yaml"),
        (["-f", "-", "--kubevirt", "1.4.0"], "a: [", InputError, "neither JSON nor YAML"),
        (["-f", "-", "--kubevirt", "1.4.0"], "a: 2026-99-99", InputError, "neither JSON nor YAML"),
        (["-f", "-", "--kubevirt", "1.4.0"], "", InputError, "-:"),
        (["-f", "-", "--kubevirt", "1.4.0"], "kind: Pod", InputError, "'Pod'"),
        (["-f", "-", "--kubevirt", "1.4.0"], "kind: VirtualMachineInstance", InputError, "spec"),
        (
            ["-f", "-", "--kubevirt", "1.4.0"],
            json.dumps(vmi(memory={"guest": "x"})),
            InputError,
            "spec.domain.memory.guest: 'x'",
        ),
        (
            ["-f", "-", "--kubevirt", "1.4.0"],
            json.dumps(vmi(cpu={"cores": "x"})),
            InputError,
            "$.spec.domain.cpu.cores",
        ),
        (["-f", "-", "--kubevirt", "1.4.0"], json.dumps(vmi(memory={})), UsageError, "no memory"),
    ],
)
def test_errors_say_what_where_and_what_to_do(args, stdin, kind, said):
    result = run(*args, stdin=stdin)
    assert isinstance(result.exception, kind)
    assert isinstance(result.exception, UllageError)
    assert not isinstance(result.exception, QuantityError)
    assert said in result.exception.message
    assert result.exception.hint
    assert result.exception.exit_code == 2


def test_a_vm_with_an_instancetype_is_sent_to_its_vmi():
    document = vm()
    document["spec"]["instancetype"] = {"name": "u1.large"}
    result = run("-f", "-", "--kubevirt", "1.7.1", stdin=json.dumps(document))
    assert isinstance(result.exception, InputError)
    assert "'u1.large'" in result.exception.message
    assert "kubectl get vmi" in result.exception.hint


def test_help_teaches():
    text = run("--help").output
    assert "ullage overhead --guest 32Gi --vcpus 8 --kubevirt 1.4.0" in text
    assert "never divided" in text
