"""Tokens of Akeyless's own client verified here, and ours by moto's STS, which checks signatures."""

import inspect
import json
import types

import akeyless_cloud_id.cloud_id
import pytest

from programs import ROLECALL

ATTEMPTS = 5


def verify(home, token, sts_url, account, *flags, **how):
    path = home.write("token", token)
    return home.rolecall("identity", "verify", f"file://{path}", "--json", "--sts-url", sts_url,
                         "--bound-aws-account-id", account, *flags, **how)


def session_keys(home, profile):
    given = home.rolecall_json("export", "--profile", profile)
    return given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]


def akeyless_client(url):
    """Akeyless's client, but for the one host that it knows."""
    source = inspect.getsource(akeyless_cloud_id.cloud_id)
    assert source.count("sts.amazonaws.com") == 2
    source = source.replace("https://sts.amazonaws.com", url)
    source = source.replace("sts.amazonaws.com", url.split("//")[1])
    module = types.ModuleType("akeyless_at_the_kit")
    exec(compile(source, "cloud_id.py", "exec"), module.__dict__)
    return module.CloudId()


def test_tokens_of_akeyless_cloud_id_verify_here(kit_home, kit):
    theirs = akeyless_client(kit.url).generate(*session_keys(kit_home, "hop"))
    found = json.loads(verify(kit_home, theirs, kit.url, "222222222222", "--bound-role-name", "Hop"))
    assert found["accepted"] and found["format"] == "akeyless"
    assert found["identity"]["arn"].startswith("arn:aws:sts::222222222222:assumed-role/Hop/")
    again = verify(kit_home, theirs, kit.url, "222222222222", "--bound-role-name", "Deploy", expect=5)
    assert "role-name-not-bound" in again


def test_ours_have_the_bytes_of_theirs(kit_home):
    key, secret, token = session_keys(kit_home, "hop")
    env = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}
    # They name the global STS alone, as ours do where no other is configured.
    del kit_home.env["AWS_ENDPOINT_URL_STS"]
    client = akeyless_cloud_id.cloud_id.CloudId()
    # The second may end between the two.
    for _ in range(ATTEMPTS):
        ours = kit_home.rolecall("identity", "token", "--format", "akeyless", env=env).rstrip("\n")
        if ours == client.generate(key, secret, token):
            return
    pytest.fail("ours are never theirs")


@pytest.mark.parametrize("profile, account, arn", [
    ("hop", "222222222222", "arn:aws:sts::222222222222:assumed-role/Hop/"),
    ("final", "444444444444", "arn:aws:sts::444444444444:assumed-role/Final/"),
])
@pytest.mark.parametrize("flags", [
    ["--format", "akeyless"],
    ["--format", "vault", "--server-id", "vault.example.com"],
])
def test_verified_through_moto(moto_home, moto, profile, account, arn, flags):
    token = moto_home.rolecall("identity", "token", "--profile", profile, *flags)
    found = json.loads(verify(moto_home, token, moto.url, account, *flags))
    assert found["identity"]["arn"].startswith(arn)
    # A signature of another key.
    moto_home.static_profile("wrong", moto.key, "not" + moto.secret[3:])
    forged = moto_home.rolecall("identity", "token", "--profile", "wrong", *flags)
    refused = verify(moto_home, forged, moto.url, "123456789012", *flags, expect=5)
    assert "sts-denied" in refused


def test_an_id_that_aws_gives_to_no_user_is_refused(moto_home, moto):
    token = moto_home.rolecall("identity", "token", "--profile", "user", "--format", "akeyless")
    path = moto_home.write("token", token)
    done = moto_home.run_anyhow(
        ROLECALL, "identity", "verify", f"file://{path}", "--json", "--sts-url", moto.url,
        "--bound-aws-account-id", "123456789012")
    decision = json.loads(done.stdout)
    checks = {check["check"]: check["outcome"] for check in decision["checks"]}
    # moto vouches for the signature, and its users' ids do not begin with AIDA.
    assert checks["sts"] == "passed" and checks["account"] == "not-reached"
    assert decision["refusal"]["code"] == "user-id-differs"
