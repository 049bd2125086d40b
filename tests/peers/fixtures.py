"""What the tests of the peers, of the wheel and of librolecall share; each conftest.py takes it."""

import os

import pytest

from moto_world import MotoWorld
from programs import Kit


def clear_environment():
    """Nothing of this machine's settings is to take part, in the tests' own process either."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "ROLECALL_")) or name.lower().endswith("_proxy"):
            del os.environ[name]


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


@pytest.fixture(scope="session")
def moto(tmp_path_factory):
    world = MotoWorld(tmp_path_factory.mktemp("moto"))
    yield world
    world.stop()
