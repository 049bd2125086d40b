"""Fixtures: homes, the kit, and moto with its signature checks on."""

import os

import pytest

from moto_world import MotoWorld
from programs import Home, Kit, check_versions


def pytest_sessionstart(session):
    # Nothing of this machine's settings is to take part, in this process either.
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    try:
        check_versions()
    except RuntimeError as missing:
        raise pytest.UsageError(str(missing)) from None


@pytest.fixture
def home(tmp_path):
    """A home folder with nothing in it."""
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def running_kit(tmp_path_factory):
    kit = Kit(tmp_path_factory.mktemp("kit"))
    yield kit
    kit.stop()


@pytest.fixture
def kit(running_kit):
    """The kit as it was when it started."""
    running_kit.post("reset", sessions=True, world=True)
    return running_kit


@pytest.fixture
def kit_home(home, kit):
    """A home whose STS is the kit, with profiles of a user and a chain of three roles."""
    home.use_sts(kit.url)
    home.static_profile("user", kit.key, kit.secret)
    home.role_profile("hop", kit.roles["Hop"], "user")
    home.role_profile("deploy", kit.roles["Deploy"], "hop")
    home.role_profile("final", kit.roles["Final"], "deploy")
    return home


@pytest.fixture(scope="session")
def moto(tmp_path_factory):
    world = MotoWorld(tmp_path_factory.mktemp("moto"))
    yield world
    world.stop()


@pytest.fixture
def moto_home(home, moto):
    """A home whose STS is moto, with profiles of a user and a chain of three roles."""
    home.use_sts(moto.url)
    home.static_profile("user", moto.key, moto.secret)
    home.role_profile("hop", moto.roles["Hop"], "user")
    home.role_profile("deploy", moto.roles["Deploy"], "hop")
    home.role_profile("final", moto.roles["Final"], "deploy")
    return home
