"""What the package gives to its users."""

import importlib.util
import subprocess
import sys

import pytest

import modeltrail.drift
from modeltrail.errors import MissingExtraError


def test_every_public_name_is_there():
    for name in modeltrail.drift.__all__:
        assert getattr(modeltrail.drift, name).__name__ == name


def test_another_name_is_an_error_that_says_so():
    with pytest.raises(AttributeError, match=r"'modeltrail.drift' has no attribute 'Basline'"):
        _ = modeltrail.drift.Basline


def test_scipy_is_loaded_only_when_it_is_needed():
    program = "import sys, modeltrail.drift; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_without_the_extra_the_error_names_the_install_command(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "scipy" else found(name))
    spec = found("modeltrail.drift")
    with pytest.raises(MissingExtraError, match=r"pip install 'modeltrail\[server\]'"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
