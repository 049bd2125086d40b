"""Fixtures: homes, the kit, and moto with its signature checks on."""

import os

import pytest

from fixtures import clear_environment, kit, moto, running_kit  # noqa: F401
from programs import Home, check_versions


def pytest_sessionstart(session):
    clear_environment()
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    try:
        check_versions()
    except RuntimeError as missing:
        raise pytest.UsageError(str(missing)) from None


@pytest.fixture
def home(tmp_path):
    """A home folder with nothing in it."""
    return Home(tmp_path / "home")


@pytest.fixture
def kit_home(home, kit):
    """A home whose STS is the kit, with profiles of a user and a chain of three roles."""
    home.use_sts(kit.url)
    home.static_profile("user", kit.key, kit.secret)
    home.role_profile("hop", kit.roles["Hop"], "user")
    home.role_profile("deploy", kit.roles["Deploy"], "hop")
    home.role_profile("final", kit.roles["Final"], "deploy")
    return home


@pytest.fixture
def moto_home(home, moto):
    """A home whose STS is moto, with profiles of a user and a chain of three roles."""
    home.use_sts(moto.url)
    home.static_profile("user", moto.key, moto.secret)
    home.role_profile("hop", moto.roles["Hop"], "user")
    home.role_profile("deploy", moto.roles["Deploy"], "hop")
    home.role_profile("final", moto.roles["Final"], "deploy")
    return home
