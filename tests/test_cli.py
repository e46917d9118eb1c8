"""The command as a user meets it: help, errors, exit codes, streams, and what it imports."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from ullage import cli
from ullage.commands import Console
from ullage.commands.console import printable, wants_color
from ullage.errors import ConfigError, UllageError

HEAVY = {"numpy", "msgspec", "yaml", "kubernetes", "grpc", "highspy", "descheduler", "simulator"}
FAULTS: dict[str, Exception | BaseException] = {
    "ours": ConfigError("planning.goal", "'x' is not accepted", "did you mean relieve?"),
    "bare": UllageError("gave up"),
    "bug": ValueError("two\nlines \x1b[31m"),
    "pipe": BrokenPipeError(),
    "interrupt": KeyboardInterrupt(),
    "missing": FileNotFoundError(2, "No such file or directory", "cluster.json"),
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@click.command()
@click.argument("name")
def failing(name: str) -> None:
    raise FAULTS[name]


@click.command()
@click.pass_context
def leaving(context: click.Context) -> None:
    context.exit(3)


@click.command()
def returning() -> int:
    return 4


@click.command()
def speaking() -> None:
    console = cli.current_console()
    console.write("data")
    console.note("note")
    console.detail("detail")
    console.warn("careful")


def run(*arguments: str, environment: dict[str, str] | None = None, program: str = "ullage") -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = cli.run(arguments, Console(out, err, environment or {}), program)
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {name: cli.Entry(f"{__name__}:{name}", name) for name in ("failing", "leaving", "returning", "speaking")}
    monkeypatch.setattr(cli, "COMMANDS", {**entries, "config": cli.COMMANDS["config"]})


def process(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=30
    )


ENTRY = "import sys; sys.argv = ['ullage', {0}]\nfrom ullage.cli import main\ntry:\n    main()\nfinally:\n    {1}"
NAMES = "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        ("'--help'", {}),
        ("'version'", {}),
        ("'completion', 'bash'", {}),
        ("", {"_ULLAGE_COMPLETE": "bash_complete", "COMP_WORDS": "ullage ", "COMP_CWORD": "1"}),
        ("", {"_ULLAGE_COMPLETE": "bash_complete", "COMP_WORDS": "ullage --", "COMP_CWORD": "1"}),
    ],
)
def test_help_version_and_completion_import_nothing_heavy(arguments: str, environment: dict[str, str]) -> None:
    done = process(ENTRY.format(arguments, NAMES), **environment)
    assert done.returncode == 0
    assert done.stdout
    assert "click" in done.stderr.split()
    assert not HEAVY & set(done.stderr.split())


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_subcommand_can_be_loaded_and_helps(name: str) -> None:
    code, out, err = run(name, "--help")
    assert (code, err) == (0, "")
    assert out == ""  # click prints help itself, on the real stdout


def test_help_names_every_command_in_the_order_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help")[0] == 0
    listed = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed[: len(cli.COMMANDS)]] == list(cli.COMMANDS)


def test_without_a_command_the_help_is_shown() -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out.startswith("Usage: ullage [OPTIONS] COMMAND")


def test_a_group_without_a_subcommand_shows_its_help() -> None:
    code, out, err = run("config")
    assert (code, err) == (0, "")
    assert out.startswith("Usage: ullage config [OPTIONS] COMMAND")


@pytest.mark.parametrize(
    ("argument", "name"),
    [("/usr/bin/kubectl-ullage", "kubectl ullage"), ("ullage", "ullage"), ("/x/ullage/cli.py", "ullage")],
)
def test_program_name(argument: str, name: str) -> None:
    assert cli.program_name(argument) == name
    assert run(program=name)[1].startswith(f"Usage: {name} ")


def test_version() -> None:
    assert run("version") == (0, "ullage 0.1.0\n", "")
    assert run("--version") == (0, "ullage 0.1.0\n", "")
    assert json.loads(run("version", "-o", "json")[1])["version"] == "0.1.0"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    code, out, err = run("completion", shell)
    assert (code, err) == (0, "")
    assert "_ULLAGE_COMPLETE" in out
    assert "ullage" in out


def complete(words: str, position: int) -> list[str]:
    environment = {"_ULLAGE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(position)}
    done = process("from ullage.cli import main; main()", **environment)
    assert done.returncode == 0, done.stderr
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_completion_of_commands_options_and_values() -> None:
    assert complete("ullage co", 1) == ["config", "completion"]
    assert complete("ullage --ver", 1) == ["--verbose", "--version"]
    assert complete("ullage config s", 2) == ["schema", "show"]
    assert complete("ullage version -o ", 3) == ["text", "json"]


def test_a_mistyped_command_is_answered_with_the_nearest() -> None:
    assert run("pln") == (2, "", "error: no such command: pln\nhint: did you mean plan?\n")
    code, out, err = run("qqqq")
    assert (code, out) == (2, "")
    assert "hint: known commands: plan, why," in err


def test_bad_usage_is_one_line_and_a_hint() -> None:
    code, out, err = run("version", "-o", "xml")
    assert (code, out) == (2, "")
    assert err.startswith("error: Invalid value for '-o'")
    assert err.endswith('hint: "ullage version --help" shows the usage\n')


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("ours", 2, "error: planning.goal: 'x' is not accepted\nhint: did you mean relieve?\n"),
        ("bare", 1, "error: gave up\n"),
        ("missing", 1, "error: cluster.json: No such file or directory\n"),
        ("pipe", 141, ""),
        ("interrupt", 130, "error: interrupted\n"),
    ],
)
def test_errors_end_in_one_line_and_their_exit_code(name: str, code: int, message: str) -> None:
    assert run("failing", name) == (code, "", message)


@pytest.mark.usefixtures("commands")
def test_an_unexpected_error_says_how_to_see_the_trace() -> None:
    code, out, err = run("failing", "bug")
    assert (code, out) == (1, "")
    assert err.splitlines()[0] == r"error: unexpected ValueError: two\nlines \x1b[31m"
    assert "ULLAGE_TRACE=1" in err.splitlines()[1]
    assert "Traceback" not in err
    assert "Traceback" in run("failing", "bug", environment={"ULLAGE_TRACE": "1"})[2]


@pytest.mark.usefixtures("commands")
def test_exit_codes_of_subcommands() -> None:
    assert run("leaving")[0] == 3
    assert run("returning")[0] == 4
    assert run("speaking")[0] == 0


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("speaking",), "note\nwarning: careful\n"),
        (("speaking", "-v"), "note\ndetail\nwarning: careful\n"),
        (("-v", "speaking"), "note\ndetail\nwarning: careful\n"),
        (("-q", "speaking"), ""),
        (("speaking", "--quiet"), ""),
        (("--color", "always", "speaking"), "note\n\x1b[33m\x1b[1mwarning:\x1b[0m careful\n"),
    ],
)
def test_global_options_before_and_after_the_command(arguments: tuple[str, ...], said: str) -> None:
    assert run(*arguments) == (0, "data\n", said)


def test_global_options_after_a_nested_command() -> None:
    assert run("config", "validate", "-q", "/nowhere")[0] == 2
    assert run("config", "explain", "-v", "memory")[0] == 0


@pytest.mark.parametrize(
    ("choice", "terminal", "environment", "expected"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"TERM": "dumb"}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", False, {"FORCE_COLOR": "1"}, True),
        ("auto", False, {"FORCE_COLOR": "0"}, False),
        ("auto", True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_color(choice: str, terminal: bool, environment: dict[str, str], expected: bool) -> None:
    assert wants_color(choice, terminal=terminal, environment=environment) is expected


def test_progress_only_on_a_terminal() -> None:
    for stream, shown in ((io.StringIO(), False), (Terminal(), True)):
        console = Console(io.StringIO(), stream, {})
        console.progress("reading")
        assert ("reading" in stream.getvalue()) is shown
        console.note("done")
        assert stream.getvalue().endswith("\r\x1b[2Kdone\n" if shown else "done\n")
    quiet = Terminal()
    Console(io.StringIO(), quiet, {}, verbosity=-1).progress("reading")
    assert quiet.getvalue() == ""


def test_names_cannot_drive_a_terminal() -> None:
    assert printable("a\x1b]0;x\x07\nb\u202ec\udc80") == r"a\x1b]0;x\x07\nb\u202ec\udc80"
    assert printable("schön 日本") == "schön 日本"


def test_config_show_validate_and_schema(tmp_path: Path) -> None:
    code, text, _ = run("config", "show")
    assert code == 0
    file = tmp_path / "ullage.yaml"
    file.write_text(text)
    assert run("config", "validate", str(file)) == (0, "", f"{file}: valid\n")
    assert json.loads(run("config", "show", "--config", str(file), "-o", "json")[1])["kind"] == "Configuration"
    assert json.loads(run("config", "schema")[1])["title"] == "Configuration"
    assert "DEFAULT:  64Mi" in run("config", "explain", "migration.bandwidthBytesPerSecond")[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"planning: {goal: relief}", "apiVersion: is missing"),
        (b"\xff\xfe\x00", "is no UTF-8 text"),
        (b"# " + b"x" * 1_000_001, "is larger than"),
        (None, "No such file or directory"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "bad.yaml"
    if content is not None:
        file.write_bytes(content)
    code, out, err = run("config", "validate", str(file))
    assert (code, out) == (2, "")
    assert message in err
    assert "hint: " in err


def closed_reader(sink: str) -> Callable[[], subprocess.CompletedProcess[bytes]]:
    return lambda: subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -m ullage.cli config schema {sink}; exit ${{PIPESTATUS[0]}}'],
        capture_output=True,
        check=False,
        timeout=30,
    )


def test_a_reader_that_goes_away_is_no_error_message() -> None:
    done = closed_reader("| true")()
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error() -> None:
    done = closed_reader("> /dev/full")()
    assert (done.returncode, done.stderr) == (1, b"error: No space left on device\n")
