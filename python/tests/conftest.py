"""Fixtures: a home with nothing in it, the kit, and moto, as the tests of the peers have them."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

PEERS = Path(__file__).resolve().parents[2] / "tests" / "peers"
sys.path.insert(0, str(PEERS))
sys.path.insert(0, str(Path(__file__).parent))

programs = importlib.import_module("programs")
fixtures = importlib.import_module("fixtures")
running_kit, kit, moto = fixtures.running_kit, fixtures.kit, fixtures.moto


def pytest_sessionstart(session):
    fixtures.clear_environment()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder with nothing in it, which is this process's."""
    home = programs.Home(tmp_path / "home")
    for name, value in home.env.items():
        if name != "PATH":
            monkeypatch.setenv(name, value)
    return home


@pytest.fixture
def kit_home(home, kit, monkeypatch):
    """A home whose STS is the kit, with profiles of a user and of roles."""
    home.use_sts(kit.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", kit.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", kit.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_ROLESANYWHERE", kit.url)
    home.env.update({name: kit.url for name in ["AWS_ENDPOINT_URL_IAM",
                                                "AWS_ENDPOINT_URL_ROLESANYWHERE"]})
    home.static_profile("user", kit.key, kit.secret)
    home.static_profile("admin", kit.admin_key, kit.admin_secret)
    home.role_profile("hop", kit.roles["Hop"], "user")
    return home


@pytest.fixture
def run(home):
    """Runs a Python script that has only the wheel; gives what it printed."""
    def run(script, *arguments, **env):
        done = subprocess.run(
            [sys.executable, "-I", "-c", script, *arguments], env={**home.env, **env},
            cwd=home.path, capture_output=True, text=True, timeout=programs.TIME_OUT)
        assert done.returncode == 0, done.stderr
        return done.stdout
    return run
