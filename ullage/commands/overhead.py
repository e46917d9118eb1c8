"""``ullage overhead``: what a virtual machine's pod requests, and every part of what it needs on top of its guest."""

from __future__ import annotations

import math
from typing import Final

import click
import msgspec
import yaml

from ullage.errors import InputError, QuantityError, UllageError, UsageError
from ullage.estimation.overhead import KubeVirtVersion, Machine
from ullage.estimation.requests import Amounts, Cluster, Guest, Rendered, render
from ullage.model.quantity import format_bytes, parse

_QUOTA_RATIO: Final = 2.0
_MAX_MANIFEST_BYTES: Final = 4 * 2**20

Wire = str | int | float
"""A quantity as JSON or YAML holds it."""


class _Cpu(msgspec.Struct, frozen=True, rename="camel"):
    sockets: int = 0
    cores: int = 0
    threads: int = 0
    dedicated_cpu_placement: bool = False
    isolate_emulator_thread: bool = False


class _Hugepages(msgspec.Struct, frozen=True, rename="camel"):
    page_size: Wire | None = None


class _Reserved(msgspec.Struct, frozen=True, rename="camel"):
    added_overhead: Wire | None = None


class _Memory(msgspec.Struct, frozen=True, rename="camel"):
    guest: Wire | None = None
    hugepages: _Hugepages | None = None
    reserved_overhead: _Reserved | None = None


class _Resources(msgspec.Struct, frozen=True, rename="camel"):
    requests: dict[str, Wire] | None = None
    limits: dict[str, Wire] | None = None
    overcommit_guest_overhead: bool = False


class _Tpm(msgspec.Struct, frozen=True):
    enabled: bool = True


class _Interface(msgspec.Struct, frozen=True, rename="camel"):
    sriov: dict[str, object] | None = None
    passt: dict[str, object] | None = None
    passt_binding: dict[str, object] | None = None


class _Devices(msgspec.Struct, frozen=True, rename="camel"):
    autoattach_graphics_device: bool | None = None
    host_devices: list[object] | None = None
    gpus: list[object] | None = None
    tpm: _Tpm | None = None
    interfaces: list[_Interface] | None = None


class _IOThreads(msgspec.Struct, frozen=True, rename="camel"):
    supplemental_pool_thread_count: int = 0


class _LaunchSecurity(msgspec.Struct, frozen=True):
    sev: dict[str, object] | None = None
    snp: dict[str, object] | None = None


class _Domain(msgspec.Struct, frozen=True, rename="camel"):
    cpu: _Cpu | None = None
    memory: _Memory | None = None
    resources: _Resources | None = None
    devices: _Devices | None = None
    io_threads: _IOThreads | None = None
    launch_security: _LaunchSecurity | None = None


class _Volume(msgspec.Struct, frozen=True, rename="camel"):
    downward_metrics: dict[str, object] | None = None


class _Probe(msgspec.Struct, frozen=True):
    exec: dict[str, object] | None = None


class _VmiSpec(msgspec.Struct, frozen=True, rename="camel"):
    domain: _Domain
    architecture: str = ""
    volumes: list[_Volume] | None = None
    liveness_probe: _Probe | None = None
    readiness_probe: _Probe | None = None


class _Template(msgspec.Struct, frozen=True):
    spec: _VmiSpec


class _VmSpec(msgspec.Struct, frozen=True):
    template: _Template
    instancetype: dict[str, object] | None = None


class _Vmi(msgspec.Struct, frozen=True):
    spec: _VmiSpec


class _Vm(msgspec.Struct, frozen=True):
    spec: _VmSpec


class _Kind(msgspec.Struct, frozen=True):
    kind: str = ""


class _Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options that describe a guest, as they were typed; none may stand beside ``-f``."""

    guest: str | None = None
    vcpus: int | None = None
    requests_memory: str | None = None
    hugepages: str | None = None
    vfio: bool = False
    tpm: bool = False
    sev: bool = False
    exec_probes: int = 0
    dedicated_cpus: bool = False
    no_graphics: bool = False


@click.command("overhead")
@click.option("--guest", metavar="SIZE", help="Memory of the guest, such as 32Gi.")
@click.option("--vcpus", type=click.IntRange(min=1), help="Sockets x cores x threads.  [default: 1]")
@click.option("--kubevirt", metavar="VERSION", required=True, help="KubeVirt's version, such as 1.7.1, or main.")
@click.option(
    "--overcommit",
    type=click.IntRange(min=10),
    default=100,
    show_default=True,
    metavar="PERCENT",
    help="The cluster's memoryOvercommit; 150 requests two thirds of the guest.",
)
@click.option("--requests-memory", metavar="SIZE", help="The VM's own requests.memory; switches the overcommit off.")
@click.option("--arch", type=click.Choice(("amd64", "arm64", "s390x")), help="Architecture.  [default: amd64]")
@click.option("--vfio", is_flag=True, help="It has a host device, a GPU or an SR-IOV interface.")
@click.option("--tpm", is_flag=True, help="It has a TPM.")
@click.option("--sev", is_flag=True, help="Its memory is encrypted by SEV, SEV-ES or SEV-SNP.")
@click.option(
    "--exec-probes", type=click.IntRange(0, 2), default=0, help="How many of its two probes run a command in the guest."
)
@click.option("--dedicated-cpus", is_flag=True, help="It has CPUs of its own, and so equal requests and limits.")
@click.option("--hugepages", metavar="SIZE", help="Page size, such as 1Gi.")
@click.option(
    "--overhead-ratio",
    type=float,
    metavar="RATIO",
    help="The cluster's additionalGuestMemoryOverheadRatio, such as 1.2.",
)
@click.option("--no-graphics", is_flag=True, help="It has no graphics device.")
@click.option(
    "--quota-limits",
    is_flag=False,
    flag_value=str(_QUOTA_RATIO),
    metavar="[RATIO]",
    help="A ResourceQuota limits memory in its namespace; RATIO is limit over request.  [default ratio: 2]",
)
@click.option(
    "-f", "--file", "manifest", metavar="FILE", help="Manifest of a VM or a VMI, JSON or YAML; - reads it from stdin."
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(("table", "json", "yaml")),
    default="table",
    show_default=True,
    help="Form of the output.",
)
def command(
    kubevirt: str,
    overcommit: int,
    arch: str | None,
    overhead_ratio: float | None,
    quota_limits: str | None,
    manifest: str | None,
    output: str,
    **guest_options: object,
) -> None:
    """What a VM's pod requests, and every part of it.

    KubeVirt runs a guest inside a pod, together with QEMU, libvirt and its own processes. The scheduler sees the guest's
    memory, divided by the overcommit, plus an overhead for all of these. The overhead depends on KubeVirt's version and is
    never divided. Where a cluster tells the real figure (the pod's requests), believe that one.

    \b
    How much does a VM of 32 GiB with 8 vCPUs request?
        ullage overhead --guest 32Gi --vcpus 8 --kubevirt 1.4.0
    And with 150 % overcommit, as JSON?
        ullage overhead --guest 32Gi --vcpus 8 --kubevirt 1.4.0 --overcommit 150 -o json
    And a VM that runs already?
        kubectl get vmi db -o yaml | ullage overhead -f - --kubevirt 1.7.1
    """  # noqa: D301 - click's mark for text that keeps its lines
    options = msgspec.convert(guest_options, _Options)
    cluster = Cluster(
        version=KubeVirtVersion.parse(kubevirt),
        overcommit_percent=overcommit,
        overhead_ratio=overhead_ratio,
        memory_limit_ratio=_quota_ratio(quota_limits),
    )
    guest = _from_options(options, arch) if manifest is None else _from_manifest(manifest, options, arch)
    rendered = render(guest, cluster)
    click.echo({"table": _table, "json": _json, "yaml": _yaml}[output](rendered), nl=False)


def _quota_ratio(text: str | None) -> float | None:
    if text is None:
        return None
    ratio = _number(text)
    if not 1.0 <= ratio < math.inf:
        raise UsageError(
            f"--quota-limits: {text!r} is not a ratio", "limit over request is a number from 1 up; 2 by default"
        )
    return ratio


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _bytes(path: str, text: Wire | None) -> int | None:
    """Whole bytes of a quantity that must be positive, rounded up as Kubernetes does; ``None`` stays ``None``."""
    return None if text is None else math.ceil(_positive(path, text, 1))


def _millis(path: str, text: Wire | None) -> int | None:
    return None if text is None else math.ceil(_positive(path, text, 1000))


def _positive(path: str, text: Wire, factor: int) -> float:
    try:
        value = parse(text) * factor
    except QuantityError as error:
        raise _refused(path, f"{text!r} is not a quantity", error.hint) from error
    if value <= 0:
        raise _refused(path, f"{text!r} is not above zero", "write it as 500m or 8Gi")
    return math.ceil(value)


def _refused(path: str, message: str, hint: str) -> UllageError:
    if path.startswith("--"):
        return UsageError(f"{path}: {message}", hint)
    return InputError(path, message, hint)


def _from_options(options: _Options, arch: str | None) -> Guest:
    if options.guest is None and options.requests_memory is None:
        raise UsageError("the memory of the guest is missing", "give --guest 32Gi, or a manifest with -f vmi.yaml")
    return Guest(
        guest_memory_bytes=_bytes("--guest", options.guest),
        vcpus=options.vcpus or 1,
        requests_memory_bytes=_bytes("--requests-memory", options.requests_memory),
        hugepages_bytes=_bytes("--hugepages", options.hugepages),
        dedicated_cpus=options.dedicated_cpus,
        machine=Machine(
            arm64=arch == "arm64",
            graphics=not options.no_graphics,
            vfio=options.vfio,
            exec_probes=options.exec_probes,
            sev=options.sev,
            tpm=options.tpm,
        ),
    )


def _from_manifest(source: str, options: _Options, arch: str | None) -> Guest:
    if options != _Options():
        raise UsageError(
            "options that describe the guest cannot stand beside -f",
            "change the manifest; --kubevirt, --overcommit, --overhead-ratio, --quota-limits and --arch may stay",
        )
    spec = _spec(source, _document(source))
    return _guest(source, spec, spec.architecture or arch)


def _document(source: str) -> object:
    try:
        raw = _read(source)
        if len(raw) > _MAX_MANIFEST_BYTES:
            raise InputError(source, "larger than 4 MiB", "give the manifest of one VM")
        return yaml.safe_load(raw)
    except OSError as error:
        raise InputError(source, error.strerror or "cannot be read", "give a file, or - for standard input") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(source, "neither JSON nor YAML", " ".join(str(error).split())[:200]) from error


def _read(source: str) -> bytes:
    with click.open_file(source, "rb") as stream:
        return bytes(stream.read(_MAX_MANIFEST_BYTES + 1))


def _spec(source: str, document: object) -> _VmiSpec:
    """The VMI's spec out of a VM or a VMI."""
    try:
        kind = msgspec.convert(document, _Kind).kind
        if kind == "VirtualMachineInstance":
            return msgspec.convert(document, _Vmi).spec
        if kind == "VirtualMachine":
            return _of_machine(source, msgspec.convert(document, _Vm).spec)
    except msgspec.ValidationError as error:
        raise InputError(
            source, str(error), "is it the manifest of a VirtualMachine or VirtualMachineInstance?"
        ) from error
    raise InputError(source, f"kind {kind!r} is neither VirtualMachine nor VirtualMachineInstance", "give one of these")


def _of_machine(source: str, spec: _VmSpec) -> _VmiSpec:
    if spec.instancetype is not None:
        raise InputError(
            source,
            f"spec.instancetype: {spec.instancetype.get('name')!r} is not in the manifest, and the VM takes its size from it",
            "give the VMI: kubectl get vmi NAME -o yaml; or the expanded VM: virtctl expand --vm NAME",
        )
    return spec.template.spec


def _guest(source: str, spec: _VmiSpec, arch: str | None) -> Guest:
    domain = spec.domain
    memory, cpu = domain.memory or _Memory(), domain.cpu or _Cpu()
    resources = domain.resources or _Resources()
    requests, limits = resources.requests or {}, resources.limits or {}
    where = f"{source}: spec.domain"
    hugepages = memory.hugepages.page_size if memory.hugepages else None
    cpu_request = _millis(f"{where}.resources.requests.cpu", requests.get("cpu"))
    cpu_limit = _millis(f"{where}.resources.limits.cpu", limits.get("cpu"))
    return Guest(
        guest_memory_bytes=_bytes(f"{where}.memory.guest", memory.guest),
        vcpus=_vcpus(cpu, cpu_limit or cpu_request),
        requests_memory_bytes=_bytes(f"{where}.resources.requests.memory", requests.get("memory")),
        limits_memory_bytes=_bytes(f"{where}.resources.limits.memory", limits.get("memory")),
        requests_cpu_millis=cpu_request,
        limits_cpu_millis=cpu_limit,
        hugepages_bytes=_bytes(f"{where}.memory.hugepages.pageSize", hugepages),
        overcommit_guest_overhead=resources.overcommit_guest_overhead,
        dedicated_cpus=cpu.dedicated_cpu_placement,
        isolate_emulator_thread=cpu.isolate_emulator_thread,
        io_threads=domain.io_threads.supplemental_pool_thread_count if domain.io_threads else 0,
        machine=_machine(where, spec, memory, arch=arch),
    )


def _vcpus(cpu: _Cpu, cpu_millis: int | None) -> int:
    if cpu.sockets or cpu.cores or cpu.threads:
        return (cpu.sockets or 1) * (cpu.cores or 1) * (cpu.threads or 1)
    return max(1, -(-(cpu_millis or 0) // 1000))


def _machine(where: str, spec: _VmiSpec, memory: _Memory, *, arch: str | None) -> Machine:
    devices = spec.domain.devices or _Devices()
    interfaces = devices.interfaces or []
    security = spec.domain.launch_security or _LaunchSecurity()
    probes = (spec.liveness_probe, spec.readiness_probe)
    added = memory.reserved_overhead.added_overhead if memory.reserved_overhead else None
    return Machine(
        arm64=arch == "arm64",
        graphics=devices.autoattach_graphics_device is not False,
        vfio=bool(devices.host_devices or devices.gpus) or any(each.sriov is not None for each in interfaces),
        downward_metrics=any(each.downward_metrics is not None for each in spec.volumes or []),
        exec_probes=sum(probe is not None and probe.exec is not None for probe in probes),
        sev=security.sev is not None or security.snp is not None,
        tpm=devices.tpm is not None and devices.tpm.enabled,
        passt=any(each.passt is not None or each.passt_binding is not None for each in interfaces),
        added_overhead_bytes=_bytes(f"{where}.memory.reservedOverhead.addedOverhead", added) or 0,
    )


def _json(rendered: Rendered) -> str:
    return msgspec.json.format(msgspec.json.encode(rendered), indent=2).decode() + "\n"


def _yaml(rendered: Rendered) -> str:
    return str(yaml.safe_dump(msgspec.to_builtins(rendered), sort_keys=False))


def _table(rendered: Rendered) -> str:
    rows = [*_rows("requests", rendered.requests), *_rows("limits", rendered.limits)]
    rows.append(("overhead", *_size(rendered.overhead_bytes)))
    rows += [(f"  {part.name}", *_size(part.bytes)) for part in rendered.parts]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = (f"{name:<{widths[0]}}  {size:>{widths[1]}}  {exact:>{widths[2]}}".rstrip() for name, size, exact in rows)
    return "\n".join(lines) + "\n"


def _rows(name: str, amounts: Amounts) -> list[tuple[str, str, str]]:
    rows = [(f"{name} memory", *(("none", "") if amounts.memory_bytes is None else _size(amounts.memory_bytes)))]
    rows.append((f"{name} cpu", "none" if amounts.cpu_millis is None else f"{amounts.cpu_millis}m", ""))
    if amounts.hugepages_bytes is not None:
        rows.append((f"{name} hugepages", *_size(amounts.hugepages_bytes)))
    return rows


def _size(amount: int) -> tuple[str, str]:
    return format_bytes(amount), str(amount)
