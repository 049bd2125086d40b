"""The page from nothing to credentials, and the examples, as people run them."""

import os
import re
import sys

import pytest

import programs

PAGE = programs.ROOT / "docs" / "python.md"
EXAMPLES = programs.ROOT / "examples" / "python"


@pytest.fixture
def deploy_home(kit_home, kit):
    kit_home.role_profile("deploy", kit.roles["Hop"], "user")
    return kit_home


def test_the_page_runs_from_its_first_line_to_its_last(deploy_home):
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 6
    script = deploy_home.write("page.py", "\n".join(blocks))
    said = deploy_home.run(sys.executable, str(script), env=path())
    assert ":assumed-role/Hop/" in said and "did you mean" in said.lower()
    assert "'kind': 'static'" in said


def path():
    return {"PYTHONPATH": os.environ["PYTHONPATH"]}


def example(home, name, *arguments):
    return home.run(sys.executable, "-I", str(EXAMPLES / name), *arguments)


def test_every_example_is_run_here():
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == {"credentials.py", "roles_anywhere.py", "prove_identity.py",
                     "lease_a_user.py"}


def test_credentials(deploy_home):
    assert ":assumed-role/Hop/" in example(deploy_home, "credentials.py", "deploy")


def test_roles_anywhere(deploy_home, kit):
    issued = kit.post("certificate")
    certificate = deploy_home.write("host.pem", issued["certificate"] + issued["chain"])
    key = deploy_home.write("host.key", issued["private_key"])
    said = example(deploy_home, "roles_anywhere.py", str(certificate), str(key),
                   kit.about["trust_anchor_arn"], kit.about["profile_arn"],
                   kit.roles["Workload"])
    assert ":assumed-role/Workload/" in said


def test_prove_identity(deploy_home, kit):
    deploy_home.env["AWS_PROFILE"] = "deploy"
    account = kit.roles["Hop"].split(":")[4]
    said = example(deploy_home, "prove_identity.py", account, "Hop", kit.url)
    first, second = said.splitlines()
    assert first.endswith("is in") and "used" in second


def test_lease_a_user(deploy_home):
    said = example(deploy_home, "lease_a_user.py", "admin")
    assert ":user/rolecall/" in said and said.endswith("afterwards it is revoked\n")
