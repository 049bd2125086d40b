"""IAM Roles Anywhere: AWS's own Python client against the kit, and profiles written for AWS's
helper, unchanged, with rolecall installed under the helper's name."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from programs import AWS, KIT, PYTHON, ROLECALL, TIME_OUT, Kit, Server

WORKLOAD = "arn:aws:sts::111111111111:assumed-role/Workload/"

PYTHON_CLIENT = """
import json, sys
from iam_rolesanywhere_session import IAMRolesAnywhereSession
about = json.load(sys.stdin)
session = IAMRolesAnywhereSession(
    profile_arn=about["profile_arn"], role_arn=about["role_arn"],
    trust_anchor_arn=about["trust_anchor_arn"], certificate=about["certificate"].encode(),
    private_key=about["private_key"].encode(),
    certificate_chain=about["chain"].encode() or None, region="us-east-1",
    endpoint=about["tls_url"].removeprefix("https://"), verify=about["ca"]).get_session()
answer = session.client("sts", endpoint_url=about["tls_url"]).get_caller_identity()
print(json.dumps(answer["Arn"]))
"""

BOTO3_IDENTITY = """
import boto3, json, sys
session = boto3.Session(profile_name=sys.argv[1])
print(json.dumps(session.client("sts").get_caller_identity()["Arn"]))
"""


@pytest.fixture
def host(home, kit):
    """A home with a certificate, and AWS's helper in a folder of PATH: it is rolecall."""
    home.use_sts(kit.url)
    issue(home, kit)
    folder = home.path / "opt" / "aws"
    folder.mkdir(parents=True)
    os.symlink(ROLECALL, folder / "aws_signing_helper")
    home.env["PATH"] += f":{folder}"
    # The helper itself knows no such variable: the line stays as people write it.
    home.env["AWS_ENDPOINT_URL_ROLESANYWHERE"] = kit.url
    home.config(f"[profile host]\ncredential_process = {line(home, kit)}")
    return home


def issue(home, kit, name="host", **what):
    issued = kit.post("certificate", **what)
    home.write(f"{name}.pem", issued["certificate"] + issued["chain"])
    home.write(f"{name}.key", issued["private_key"])
    return issued


def line(home, kit, program="aws_signing_helper"):
    about = kit.about
    return (f"{program} credential-process --certificate {home.path}/host.pem "
            f"--private-key {home.path}/host.key --trust-anchor-arn {about['trust_anchor_arn']} "
            f"--profile-arn {about['profile_arn']} --role-arn {about['roles']['Workload']}")


def arn(home, peer, profile):
    if peer == "rolecall":
        return home.rolecall_json("whoami", "--json", "--profile", profile)["Arn"]
    if peer == "boto3":
        return json.loads(home.python(BOTO3_IDENTITY, profile))
    return home.aws_identity(peer, "--profile", profile)["Arn"]


@pytest.mark.parametrize("what", [
    {}, {"key": "p384"}, {"key": "p521", "intermediates": 2}, {"key": "rsa2048", "authority": "rsa"},
], ids=["P-256", "P-384", "P-521 with a chain", "RSA"])
def test_the_python_client_gets_a_session_from_the_kit(home, what):
    authority = home.path / "ca.pem"
    server = Server([KIT, "--tls", "--ca-out", str(authority)], home.path,
                    lambda text: text.startswith("{"))
    try:
        about = json.loads(server.line)
        kit = Kit.__new__(Kit)
        kit.url = about["url"]
        certificate = kit.post("certificate", **what)
        about |= certificate | {"role_arn": about["roles"]["Workload"], "ca": str(authority)}
        printed = home.run(PYTHON, "-c", PYTHON_CLIENT, stdin=json.dumps(about))
        assert json.loads(printed).startswith(WORKLOAD)
        assert kit.count("CreateSession") == 1
    finally:
        server.stop()


@pytest.mark.parametrize("peer", [*AWS, "boto3", "rolecall"])
def test_a_line_written_for_the_helper(host, kit, peer):
    first = arn(host, peer, "host")
    assert first.startswith(WORKLOAD)
    # AWS's helper would ask again each time.
    assert arn(host, peer, "host") == first
    assert kit.count("CreateSession") == 1


@pytest.mark.parametrize("peer", [*AWS, "boto3", "rolecall"])
def test_a_role_after_it(host, kit, peer):
    host.role_profile("hop", kit.roles["Hop"], "host")
    assert arn(host, peer, "hop").startswith("arn:aws:sts::222222222222:assumed-role/Hop/")


def test_all_of_them_share_one_session(host, kit):
    assert len({arn(host, peer, "host") for peer in [*AWS, "boto3", "rolecall"]}) == 1
    assert kit.count("CreateSession") == 1


def test_two_hundred_at_once_make_one_session(host, kit):
    command = line(host, kit).split()

    def run(_):
        return subprocess.run(command, env=host.env, cwd=host.path, capture_output=True, text=True,
                              timeout=TIME_OUT, check=True).stdout

    with ThreadPoolExecutor(200) as pool:
        printed = set(pool.map(run, range(200)))
    assert len(printed) == 1
    assert kit.count("CreateSession") == 1


def test_a_profile_that_configure_writes(host, kit):
    about = kit.about
    host.rolecall("configure", "roles-anywhere", "--profile", "written",
                  "--certificate", f"{host.path}/host.pem", "--private-key",
                  f"{host.path}/host.key", "--trust-anchor-arn", about["trust_anchor_arn"],
                  "--profile-arn", about["profile_arn"], "--role-arn", about["roles"]["Workload"])
    for peer in [*AWS, "boto3", "rolecall"]:
        assert arn(host, peer, "written").startswith(WORKLOAD), peer


@pytest.mark.parametrize("peer", [*AWS, "boto3"])
def test_update_writes_what_the_peers_read(host, kit, peer):
    host.run(*line(host, kit).replace("credential-process", "update --once --profile up").split())
    if peer in AWS:
        # AWS CLI wants the profile in one of the files, and it is in the credentials file.
        assert host.aws_identity(peer, "--profile", "up")["Arn"].startswith(WORKLOAD)
    else:
        assert json.loads(host.python(BOTO3_IDENTITY, "up")).startswith(WORKLOAD)


@pytest.mark.parametrize("peer", [*AWS, "boto3"])
def test_serve_is_the_metadata_service_to_the_peers(host, kit, peer):
    command = line(host, kit).replace("credential-process", "serve --port 0").split()
    server = Server(command, host.path,
                    lambda text: "AWS_EC2_METADATA_SERVICE_ENDPOINT=" in text, env=host.env)
    try:
        endpoint = server.line.split("=", 1)[1].strip()
        env = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint, "AWS_EC2_METADATA_DISABLED": "false",
               "AWS_CONFIG_FILE": os.devnull}
        if peer == "boto3":
            script = ("import boto3; print(boto3.client('sts', region_name='us-east-1')"
                      ".get_caller_identity()['Arn'])")
            answer = host.python(script, env=env)
        else:
            answer = host.aws_identity(peer, env=env)["Arn"]
        assert answer.startswith(WORKLOAD)
    finally:
        server.stop()
