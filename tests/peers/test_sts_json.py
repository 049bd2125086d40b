"""`rolecall sts OPERATION` takes the flags of `aws sts OPERATION` and prints the same JSON."""

import json
import re

import pytest

from programs import AWS

POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
READ_ONLY = "arn=arn:aws:iam::aws:policy/ReadOnlyAccess"

# What differs from one session to the next, in the order of the fields.
FRESH = [
    (r'("AccessKeyId": ")[^"]+', r"\1KEY"),
    (r'("SecretAccessKey": ")[^"]+', r"\1SECRET"),
    (r'("SessionToken": ")[^"]+', r"\1TOKEN"),
    (r'("WebIdentityToken": ")[^"]+', r"\1TOKEN"),
    # AWS CLI v1 prints the time as it came, v2 with an offset.
    (r'("Expiration": ")\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"', r'\1END"'),
]


def steady(printed):
    """The text as printed, with what is new each time replaced."""
    json.loads(printed)
    for pattern, replacement in FRESH:
        printed = re.sub(pattern, replacement, printed)
    return printed


def operations(kit):
    """Each operation's arguments."""
    hop, saml_role, web_role = kit.roles["Hop"], kit.roles["Saml"], kit.roles["Web"]
    session = ["--role-session-name", "me@example"]
    return {
        "get-caller-identity": [],
        "assume-role": ["--role-arn", hop, *session],
        "assume-role with-everything": [
            "--role-arn", kit.roles["External"], *session, "--duration-seconds", "900",
            "--policy", POLICY, "--policy-arns", READ_ONLY,
            "--external-id", kit.about["external_id"],
            "--tags", "Key=team,Value=blue", "Key=env,Value='x=y z'",
            "--transitive-tag-keys", "team", "--source-identity", "alice"],
        "assume-role with-mfa": [
            "--role-arn", kit.roles["Mfa"], *session,
            "--serial-number", kit.about["mfa_serial"], "--token-code", "CODE"],
        "assume-role-with-saml": [
            "--role-arn", saml_role, "--principal-arn", kit.about["saml_provider"],
            "--saml-assertion", kit.post("saml-assertion", session_name="me")["assertion"]],
        "assume-role-with-web-identity": [
            "--role-arn", web_role, *session, "--web-identity-token", kit.web_identity_token()],
        "assume-root": [
            "--target-principal", "444444444444", "--task-policy-arn",
            "arn=arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"],
        "decode-authorization-message": [
            "--encoded-message",
            kit.post("authorization-message", message='{"allowed": "no é"}')["encoded"]],
        "get-access-key-info": ["--access-key-id", kit.key],
        "get-federation-token": [
            "--name", "fed", "--policy", POLICY, "--tags", "Key=a,Value=b"],
        "get-session-token": ["--duration-seconds", "3600"],
        "get-session-token with-mfa": [
            "--serial-number", kit.about["mfa_serial"], "--token-code", "CODE"],
        "get-web-identity-token": [
            "--audience", "service.example", "--signing-algorithm", "RS256",
            "--duration-seconds", "300"],
    }


NAMES = [
    "get-caller-identity", "assume-role", "assume-role with-everything", "assume-role with-mfa",
    "assume-role-with-saml", "assume-role-with-web-identity", "assume-root",
    "decode-authorization-message", "get-access-key-info", "get-federation-token",
    "get-session-token", "get-session-token with-mfa", "get-web-identity-token",
]
# Debian's AWS CLI is older than these.
UNKNOWN_TO = {"v2": {"assume-root", "get-web-identity-token"}}


def test_every_operation_is_listed(kit):
    assert NAMES == list(operations(kit))


@pytest.mark.parametrize("version, name", [
    (version, name) for version in AWS for name in NAMES
    if name not in UNKNOWN_TO.get(version, set())])
def test_the_same_flags_give_the_same_json(kit_home, kit, version, name):
    arguments = operations(kit)[name]
    codes = iter(kit.about["mfa_codes"])
    command = lambda: ["sts", name.split()[0], "--profile", "user",
                       *(next(codes) if text == "CODE" else text for text in arguments)]
    ours = kit_home.rolecall(*command())
    theirs = kit_home.aws(version, *command(), "--endpoint-url", kit.url)
    assert steady(ours) == steady(theirs)


MOTO_NAMES = ["get-caller-identity", "assume-role", "get-session-token", "get-federation-token",
              "get-access-key-info"]


@pytest.mark.parametrize("version", AWS)
@pytest.mark.parametrize("name", MOTO_NAMES)
def test_and_from_moto(moto_home, moto, version, name):
    arguments = {
        "assume-role": ["--role-arn", moto.roles["Hop"], "--role-session-name", "me"],
        "get-federation-token": ["--name", "fed"],
        "get-access-key-info": ["--access-key-id", moto.key],
    }.get(name, [])
    command = ["sts", name, "--profile", "user", *arguments]
    ours = moto_home.rolecall(*command)
    theirs = moto_home.aws(version, *command, "--endpoint-url", moto.url)
    assert steady(ours) == steady(theirs)


@pytest.mark.parametrize("version", AWS)
def test_whoami_json_is_get_caller_identity(kit_home, version):
    ours = kit_home.rolecall("whoami", "--profile", "user", "--json")
    assert ours == kit_home.aws(version, "sts", "get-caller-identity", "--profile", "user",
                                "--endpoint-url", kit_home.sts_url)


@pytest.mark.parametrize("source", ["file", "stdin", "variable"])
def test_a_secret_is_read_from_elsewhere(kit_home, kit, source):
    token = kit.web_identity_token()
    path = kit_home.write("token", token)
    given = {"file": f"file://{path}", "stdin": "-", "variable": "env:TOKEN"}[source]
    printed = kit_home.rolecall_json(
        "sts", "assume-role-with-web-identity", "--role-arn", kit.roles["Web"],
        "--role-session-name", "me", "--web-identity-token", given,
        stdin=token if source == "stdin" else "", env={"TOKEN": token})
    assert printed["AssumedRoleUser"]["Arn"].endswith(":assumed-role/Web/me")
