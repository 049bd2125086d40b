"""A chain of roles and web identity through moto, which checks every signature."""

import json

import pytest

from programs import AWS, ROLECALL

FINAL = "arn:aws:sts::444444444444:assumed-role/Final/"

ASK_WITH_AWS_CLI = """
set -eu
credentials=$("$1" export --profile final --format env)
eval "$credentials"
exec "$2" sts get-caller-identity --endpoint-url "$AWS_ENDPOINT_URL_STS" --output json
"""


@pytest.mark.parametrize("version", AWS)
def test_a_chain_of_three_roles_from_the_shell(moto_home, version):
    said = moto_home.run("bash", "-c", ASK_WITH_AWS_CLI, "bash", ROLECALL, AWS[version])
    identity = json.loads(said)
    assert identity["Arn"].startswith(FINAL)
    assert identity["Account"] == "444444444444"


@pytest.mark.parametrize("version", AWS)
def test_aws_cli_gets_to_the_same_role_by_the_same_profile(moto_home, version):
    ours = moto_home.rolecall_json("whoami", "--profile", "final", "--json", "--no-cache")
    theirs = moto_home.aws_identity(version, "--profile", "final")
    assert ours["Arn"].startswith(FINAL) and theirs["Arn"].startswith(FINAL)


def test_whoami_knows_the_user(moto_home):
    identity = moto_home.rolecall_json("whoami", "--profile", "user", "--json")
    assert identity["Arn"] == "arn:aws:iam::123456789012:user/alice"


def test_a_role_session_name_is_shown_to_aws(moto_home, moto):
    moto_home.role_profile("named", moto.roles["Hop"], "user", "role_session_name = me@example")
    identity = moto_home.rolecall_json("whoami", "--profile", "named", "--json")
    assert identity["Arn"] == "arn:aws:sts::222222222222:assumed-role/Hop/me@example"


def test_a_wrong_secret_is_denied(moto_home, moto):
    moto_home.static_profile("wrong", moto.key, "not" + moto.secret[3:])
    moto_home.role_profile("role-by-wrong", moto.roles["Hop"], "wrong")
    for profile in ["wrong", "role-by-wrong"]:
        command = ["whoami"] if profile == "wrong" else ["export"]
        error = moto_home.rolecall(*command, "--profile", profile, expect=5)
        assert "SignatureDoesNotMatch" in error
        assert moto.secret[3:] not in error


def test_an_unknown_key_is_denied(moto_home):
    moto_home.static_profile("unknown", "AKIAUNKNOWNEXAMPLE00", "secret")
    assert "InvalidClientTokenId" in moto_home.rolecall("whoami", "--profile", "unknown", expect=5)


def test_a_user_without_permission_is_denied(moto_home, moto):
    moto_home.static_profile("idle", moto.idle_key, moto.idle_secret)
    moto_home.role_profile("not-for-idle", moto.roles["Hop"], "idle")
    error = moto_home.rolecall("export", "--profile", "not-for-idle", expect=5)
    assert "AccessDenied" in error


@pytest.fixture
def without_checks(moto):
    """For an unsigned call; the caller switches the checks on again to use what it gives."""
    moto.check_signatures(False)
    yield
    moto.check_signatures(True)


def web_identity(home, moto):
    token = home.write("token", "not.checked.by-moto")
    home.config(f"[profile web]\nrole_arn = {moto.web_role}\n"
                f"role_session_name = web\nweb_identity_token_file = {token}")
    return {"AWS_ROLE_ARN": moto.web_role, "AWS_ROLE_SESSION_NAME": "web",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token)}


@pytest.mark.parametrize("come_from", ["profile", "environment"])
def test_web_identity(moto_home, moto, without_checks, come_from):
    variables = web_identity(moto_home, moto)
    if come_from == "profile":
        given = moto_home.rolecall_json("export", "--profile", "web")
    else:
        given = moto_home.rolecall_json("export", env=variables)
    moto.check_signatures(True)
    credentials = {"AWS_ACCESS_KEY_ID": given["AccessKeyId"],
                   "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
                   "AWS_SESSION_TOKEN": given["SessionToken"]}
    for version in AWS:
        identity = moto_home.aws_identity(version, env=credentials)
        assert identity["Arn"] == "arn:aws:sts::123456789012:assumed-role/Web/web"
