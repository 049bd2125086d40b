"""`rolecall serve` and `exec --serve`: every SDK gets credentials, and the kit verifies what it signs
with them."""

import json

import pytest

from programs import AWS, NODE, NODE_MODULES, PYTHON, ROLECALL, ROOT, Home, Server

FINAL = "arn:aws:sts::444444444444:assumed-role/Final/"
BOTO3 = """
import boto3, json, sys
identity = boto3.client("sts", endpoint_url=sys.argv[1]).get_caller_identity()
print(json.dumps({"Arn": identity["Arn"]}))
"""
CLIENTS = [*AWS, "boto3", "node"]


def ask_who(client, url):
    """The command by which a client says who it is."""
    if client == "boto3":
        return [PYTHON, "-c", BOTO3, url]
    if client == "node":
        return [NODE, str(ROOT / "tests/peers/node/identity.cjs"), url]
    return [AWS[client], "sts", "get-caller-identity", "--output", "json", "--endpoint-url", url]


class Serving:
    def __init__(self, home, *arguments):
        self._server = Server([ROLECALL, "serve", "--port", "0", "--json", *arguments], home.path,
                              lambda line: line.startswith("{"), home.env)
        self.stop = self._server.stop
        self.about = json.loads(self._server.line)

    def imds(self):
        return {**self.about["imds"], "AWS_EC2_METADATA_DISABLED": "false"}

    def container(self, number=0):
        return self.about["profiles"][number]["container"]


@pytest.fixture
def serving(kit_home):
    serving = Serving(kit_home, "--profile", "final", "--profile", "hop")
    yield serving
    serving.stop()


@pytest.fixture
def stranger(tmp_path):
    """A home without a profile: what a program there knows, it knows from the server."""
    home = Home(tmp_path / "stranger")
    home.env["NODE_PATH"] = NODE_MODULES
    return home


def with_the_token_itself(variables):
    """For SDKs that read no file: Debian's AWS CLI v2 is of 2023."""
    variables = dict(variables)
    with open(variables.pop("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) as file:
        variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = file.read()
    return variables


@pytest.mark.parametrize("client", CLIENTS)
def test_by_imds(stranger, kit, serving, client):
    said = stranger.run(*ask_who(client, kit.url), env=serving.imds())
    assert json.loads(said)["Arn"].startswith(FINAL)


@pytest.mark.parametrize("client", CLIENTS)
def test_by_container_uri(stranger, kit, serving, client):
    variables = with_the_token_itself(serving.container())
    said = stranger.run(*ask_who(client, kit.url), env=variables)
    assert json.loads(said)["Arn"].startswith(FINAL)


@pytest.mark.parametrize("client", ["v1", "boto3", "node"])
def test_by_container_uri_with_the_token_in_its_file(stranger, kit, serving, client):
    said = stranger.run(*ask_who(client, kit.url), env=serving.container(1))
    assert "assumed-role/Hop/" in json.loads(said)["Arn"]


@pytest.mark.parametrize("client", CLIENTS)
def test_by_exec_serve(kit_home, kit, client):
    said = kit_home.rolecall("exec", "--serve", "--profile", "final", "--",
                             *ask_who(client, kit.url), env={"NODE_PATH": NODE_MODULES})
    assert json.loads(said)["Arn"].startswith(FINAL)


@pytest.mark.parametrize("client", CLIENTS)
def test_keys_that_do_not_end_are_served_too(stranger, kit_home, kit, client):
    serving = Serving(kit_home, "--profile", "user")
    try:
        for variables in serving.imds(), with_the_token_itself(serving.container()):
            said = stranger.run(*ask_who(client, kit.url), env=variables)
            assert json.loads(said)["Arn"].endswith(":user/alice")
    finally:
        serving.stop()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_source_that_fails_gives_no_credentials(stranger, kit_home, kit, client):
    kit.post("chaos", operation="AssumeRole", count=None, fault={"kind": "close"})
    kit_home.env["AWS_MAX_ATTEMPTS"] = "1"
    serving = Serving(kit_home, "--profile", "final")
    try:
        for variables in serving.imds(), with_the_token_itself(serving.container()):
            command = ask_who(client, kit.url)
            done = stranger.run_anyhow(*command, env=variables)
            assert done.returncode != 0 and done.stdout == ""
    finally:
        serving.stop()
    assert kit.count("GetCallerIdentity") == 0


def test_botocore_finds_the_region(stranger, kit_home):
    serving = Serving(kit_home, "--profile", "final", "--region", "eu-west-1")
    script = ("from botocore.utils import InstanceMetadataRegionFetcher as F; import sys;"
              "print(F(base_url=sys.argv[1]).retrieve_region())")
    try:
        url = serving.about["imds"]["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
        env = {"AWS_EC2_METADATA_DISABLED": "false"}
        assert stranger.python(script, url, env=env) == "eu-west-1\n"
    finally:
        serving.stop()
