"""The library, C compilers, and programs in C that know the kit and nothing else."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "peers"))

from fixtures import clear_environment, kit, running_kit  # noqa: E402, F401
from programs import BUILT, REGION, TIME_OUT, Home  # noqa: E402

FFI = ROOT / "ffi"
HEADER = FFI / "include" / "rolecall.h"
SHARED = BUILT / "librolecall.so"
# As it is installed: the build's own exports all that is in it.
STATIC = BUILT / "c" / "librolecall.a"
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
# Before 1.0 each minor version is another library.
SO_VERSION = ".".join(VERSION.split(".")[:2 if VERSION.startswith("0.") else 1])
LONG = 300
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]


def pytest_sessionstart(session):
    clear_environment()
    for built in [SHARED, BUILT / "librolecall.a"]:
        if not built.exists():
            raise pytest.UsageError(f"{built} is missing; `make test-c` builds it")
    subprocess.run(["make", f"BUILT={BUILT}", str(STATIC)], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL, timeout=LONG)


@pytest.fixture(scope="session")
def libraries(tmp_path_factory):
    """A folder with the shared library under the name that programs ask for."""
    folder = tmp_path_factory.mktemp("lib")
    for name in ["librolecall.so", f"librolecall.so.{SO_VERSION}"]:
        (folder / name).symlink_to(SHARED)
    return folder


@pytest.fixture
def home(tmp_path, kit, libraries):
    """A home with profiles of users and a chain of roles, and all that the programs are told."""
    home = Home(tmp_path / "home")
    home.use_sts(kit.url)
    about, roles = kit.about, kit.roles
    home.static_profile("user", kit.key, kit.secret)
    home.static_profile("admin", kit.admin_key, kit.admin_secret)
    home.role_profile("hop", roles["Hop"], "user")
    home.role_profile("deploy", roles["Deploy"], "hop")
    home.role_profile("final", roles["Final"], "deploy")
    home.role_profile("mfa", roles["Mfa"], "user", f"mfa_serial = {about['mfa_serial']}")
    home.role_profile("denied", roles["Final"], "user")
    issued = kit.post("certificate")
    certificate = home.write("host.pem", issued["certificate"] + issued["chain"])
    private_key = home.write("host.key", issued["private_key"])
    jwks = json.dumps(kit.get("oidc/.well-known/jwks.json"))
    home.env |= {
        "LD_LIBRARY_PATH": str(libraries),
        "AWS_ENDPOINT_URL_IAM": kit.url,
        "AWS_ENDPOINT_URL_ROLESANYWHERE": kit.url,
        "VERSION": VERSION,
        "KIT_URL": kit.url,
        "KIT_KEY": kit.key,
        "KIT_SECRET": kit.secret,
        "MFA_CODE": about["mfa_codes"][0],
        "OTHER_MFA_CODE": about["mfa_codes"][1],
        "HOP": roles["Hop"],
        "FINAL": roles["Final"],
        "WEB": roles["Web"],
        "WORKLOAD": roles["Workload"],
        "TRUST_ANCHOR": about["trust_anchor_arn"],
        "RA_PROFILE": about["profile_arn"],
        "CERTIFICATE": str(certificate),
        "PRIVATE_KEY": str(private_key),
        "WEB_TOKEN": kit.web_identity_token(),
        "ENCODED_MESSAGE": kit.post("authorization-message", message='{"allowed":false}')["encoded"],
        "ISSUER": f"{kit.url}/_kit/oidc",
        "JWKS": jwks,
        "JWKS_FILE": str(home.write("jwks.json", jwks)),
        "CHALLENGE_KEY": "5c" * 32,
        "USER": "somebody",
    }
    return home


@pytest.fixture(scope="session")
def system_libraries():
    """What a program that links the library statically needs of the system."""
    text = (FFI / "rolecall.pc.in").read_text()
    return re.search(r"^Libs.private: (.*)$", text, re.M)[1].split()


class Compiler:
    """gcc or g++, which must find nothing to say."""

    def __init__(self, folder, system_libraries):
        self.folder, self.system_libraries = folder, system_libraries

    def build(self, source, *flags, program="gcc", static=False):
        """Builds a program and gives its path."""
        made = self.folder / f"{Path(source).stem}-{program.strip('+')}-{'a' if static else 'so'}"
        if static:
            library = [str(STATIC), *self.system_libraries]
        else:
            library = [f"-L{BUILT}", "-lrolecall"]
        command = [program, *STRICT, "-g", f"-I{HEADER.parent}", f"-I{FFI}/tests/c", *flags,
                   str(source), "-o", str(made), *library, "-lpthread"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_OUT)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return str(made)


@pytest.fixture
def compiler(tmp_path, system_libraries):
    return Compiler(tmp_path, system_libraries)
