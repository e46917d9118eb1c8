from __future__ import annotations

import pytest

from descheduler.loop.settings import ConfigurationFile, Settings
from ullage.commands.config import read_configuration
from ullage.errors import ConfigError, UsageError
from ullage.serving.address import Address

HEAD = "apiVersion: ullage.dev/v1alpha1\nkind: Configuration\n"


def test_a_changed_file_is_read_and_a_bad_one_keeps_the_old(tmp_path):
    file = tmp_path / "ullage.yaml"
    file.write_text(HEAD + "planning: {goal: balance}\n")
    configuration = ConfigurationFile(file, read_configuration)
    assert not configuration.reload()
    file.write_text(HEAD + "planning: {goal: tidy, maxMoves: 3}\n")
    assert configuration.reload()
    assert (configuration.current.planning.goal, "tidy" in configuration.error) == ("balance", True)
    assert not configuration.reload()
    file.write_text(HEAD + "planning: {goal: consolidate}\n")
    assert configuration.reload()
    assert (configuration.current.planning.goal, configuration.error) == ("consolidate", "")


def test_a_file_that_vanishes_keeps_the_old(tmp_path):
    file = tmp_path / "ullage.yaml"
    file.write_text(HEAD)
    configuration = ConfigurationFile(file, read_configuration)
    file.unlink()
    assert configuration.reload()
    assert configuration.error
    assert configuration.current.planning.goal == "relieve"


def test_on_request_it_is_read_though_nothing_changed(tmp_path):
    file = tmp_path / "ullage.yaml"
    file.write_text(HEAD)
    assert ConfigurationFile(file, read_configuration).reload(asked=True)
    assert not ConfigurationFile(None, read_configuration).reload(asked=True)


def test_a_bad_file_at_the_start_is_an_error(tmp_path):
    file = tmp_path / "ullage.yaml"
    file.write_text(HEAD + "thresholds: {cpu: {high: 2000}}\n")
    with pytest.raises(ConfigError):
        ConfigurationFile(file, read_configuration)


def test_others_are_served_without_tls_only_if_said_so():
    Settings(listen=Address("10.0.0.9", 80), plain=True).check()
    Settings(listen=Address("::1", 80)).check()
    with pytest.raises(UsageError, match="no TLS"):
        Settings(listen=Address("10.0.0.9", 80)).check()
    with pytest.raises(UsageError, match="no TLS"):
        Settings(grpc_listen=Address("10.0.0.1", 80)).check()
