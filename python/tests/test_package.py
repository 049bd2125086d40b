"""What is in the wheel, and whether it says the truth about itself."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import programs
import rolecall

PACKAGE = programs.ROOT / "python"
PYTHON = Path(sys.executable)


@pytest.fixture(scope="module")
def wheel():
    [wheel] = (PYTHON.parents[1] / "wheels").glob("*.whl")
    return wheel


def tool(*arguments, folder=None):
    """Runs a tool of Python's that sees the installed wheel."""
    done = subprocess.run([sys.executable, "-m", *map(str, arguments)], cwd=folder or "/",
                          env=os.environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_for_every_python_since_3_9(wheel):
    assert wheel.name.startswith(f"rolecall-{rolecall.__version__}-cp39-abi3-")
    tool("abi3audit", "--strict", wheel)


def test_it_brings_the_program_and_needs_nothing_else(wheel, home):
    program = PYTHON.parent / "rolecall"
    assert rolecall.__version__ in home.run(str(program), "--version")
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if "test" in name or name.endswith(".pyc")]
    assert {"rolecall/py.typed", "rolecall/__init__.pyi", "rolecall/boto3.py"} <= set(names)
    licences = {name.split("/")[-1] for name in names if "/licenses/" in name}
    assert licences == {"LICENSE-APACHE", "LICENSE-MIT"}
    [metadata] = [name for name in names if name.endswith("METADATA")]
    assert "Requires-Dist" not in zipfile.ZipFile(wheel).read(metadata).decode()


def test_boto3_is_loaded_only_where_it_is_used(run):
    loaded = run("import sys, rolecall; print(*sorted(sys.modules))").split()
    assert "rolecall.sts" in loaded
    for heavy in ["asyncio", "boto3", "botocore", "typing", "json", "datetime"]:
        assert heavy not in loaded


def test_the_stubs_are_true():
    tool("mypy.stubtest", "rolecall", "--mypy-config-file", PACKAGE / "pyproject.toml")


def test_the_sources_and_examples_are_typed():
    config = ["--config-file", PACKAGE / "pyproject.toml"]
    tool("mypy", *config, "rolecall", folder=PACKAGE)
    tool("mypy", *config, programs.ROOT / "examples" / "python")


def test_everything_is_documented(tmp_path):
    """The reference is built, and nothing public is without a text."""
    tool("pdoc", "rolecall", "rolecall.boto3", "--output-directory", tmp_path)
    pages = {page.stem for page in (tmp_path / "rolecall").glob("*.html")}
    assert {"configure", "sts", "identity", "eks", "secrets", "boto3"} <= pages
    for module in [rolecall, rolecall.configure, rolecall.sts, rolecall.identity, rolecall.eks, rolecall.secrets]:
        assert module.__doc__
        for name in module.__all__:
            thing = getattr(module, name)
            if name.startswith("__"):
                continue
            assert thing.__doc__, f"{module.__name__}.{name}"
            for part, value in vars(thing).items() if isinstance(thing, type) else ():
                if not part.startswith("_") and callable(value):
                    assert value.__doc__, f"{module.__name__}.{name}.{part}"
