"""`credential_process = rolecall credential-process --profile X`, used by AWS CLI and boto3."""

import json

import pytest

from programs import AWS, ROLECALL

FINAL = "arn:aws:sts::444444444444:assumed-role/Final/"

BOTO3_IDENTITY = """
import boto3, json, sys
session = boto3.Session(profile_name=sys.argv[1])
answer = session.client("sts").get_caller_identity()
print(json.dumps({"Arn": answer["Arn"], "Account": answer["Account"]}))
"""


def app_profile(home, source):
    home.config(f"[profile app]\n"
                f"credential_process = {ROLECALL} credential-process --profile {source}")


def identity(home, peer, profile="app"):
    if peer == "boto3":
        return json.loads(home.python(BOTO3_IDENTITY, profile))
    return home.aws_identity(peer, "--profile", profile)


@pytest.mark.parametrize("peer", [*AWS, "boto3"])
def test_a_chain_of_roles(kit_home, kit, peer):
    app_profile(kit_home, "final")
    first = identity(kit_home, peer)
    assert first["Arn"].startswith(FINAL)
    assert kit.count("AssumeRole") == 3
    # The second time rolecall finds the last role in its cache.
    assert identity(kit_home, peer) == first
    assert kit.count("AssumeRole") == 3


@pytest.mark.parametrize("peer", [*AWS, "boto3"])
def test_a_user_without_session(kit_home, peer):
    app_profile(kit_home, "user")
    assert identity(kit_home, peer)["Arn"] == "arn:aws:iam::111111111111:user/alice"


@pytest.mark.parametrize("peer", [*AWS, "boto3"])
def test_as_the_source_of_a_role_that_the_peer_assumes(kit_home, kit, peer):
    app_profile(kit_home, "hop")
    kit_home.role_profile("by-peer", kit.roles["Deploy"], "app")
    arn = identity(kit_home, peer, "by-peer")["Arn"]
    assert arn.startswith("arn:aws:sts::333333333333:assumed-role/Deploy/botocore-session-")


@pytest.mark.parametrize("peer", AWS)
def test_the_peer_shows_why_it_failed(kit_home, kit, peer):
    kit_home.static_profile("wrong", kit.key, "wrong")
    kit_home.role_profile("broken", kit.roles["Hop"], "wrong")
    app_profile(kit_home, "broken")
    error = kit_home.aws(peer, "sts", "get-caller-identity", "--endpoint-url", kit.url,
                         "--profile", "app", expect=255)
    assert "rolecall:" in error and "SignatureDoesNotMatch" in error


BOTO3_KEYS = """
import boto3, sys
keys = boto3.Session(profile_name="app").get_credentials().get_frozen_credentials()
sys.stdout.write("\\0".join([keys.access_key, keys.secret_key, keys.token]))
"""


def test_boto3_reads_any_text(home):
    secret, token = "q\" b\\ $x `y` 'z' \n \t é 日本", "t\"\\/ ü"
    home.process_profile("odd", {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": secret,
                                 "SessionToken": token})
    app_profile(home, "odd")
    assert home.python(BOTO3_KEYS).split("\0") == ["AKIDEXAMPLE", secret, token]
