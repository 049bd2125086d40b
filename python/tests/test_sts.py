"""Every operation of STS, against the kit and moto."""

import asyncio
import inspect

import pytest

import rolecall
from rolecall import sts

POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


@pytest.fixture
def client(kit_home):
    return rolecall.Session("user").sts()


def operations(kit):
    """Each operation's arguments, and the type that it gives."""
    codes = iter(kit.about["mfa_codes"])
    mfa = lambda: {"serial_number": kit.about["mfa_serial"], "token_code": next(codes)}
    return {
        "get_caller_identity": ({}, sts.GetCallerIdentityOutput),
        "assume_role": (
            {"role_arn": kit.roles["External"], "role_session_name": "me@example",
             "duration_seconds": 900, "policy": POLICY,
             "policy_arns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
             "external_id": kit.about["external_id"], "tags": {"team": "blue"},
             "transitive_tag_keys": ["team"], "source_identity": "alice"},
            sts.AssumeRoleOutput),
        "assume_role with mfa": (
            {"role_arn": kit.roles["Mfa"], "role_session_name": "me", **mfa()},
            sts.AssumeRoleOutput),
        "assume_role_with_saml": (
            {"role_arn": kit.roles["Saml"], "principal_arn": kit.about["saml_provider"],
             "saml_assertion": kit.post("saml-assertion", session_name="me")["assertion"]},
            sts.AssumeRoleWithSamlOutput),
        "assume_role_with_web_identity": (
            {"role_arn": kit.roles["Web"], "role_session_name": "me",
             "web_identity_token": kit.web_identity_token()},
            sts.AssumeRoleWithWebIdentityOutput),
        "assume_root": (
            {"target_principal": "444444444444", "task_policy_arn":
             "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"},
            sts.AssumeRootOutput),
        "decode_authorization_message": (
            {"encoded_message":
             kit.post("authorization-message", message='{"allowed": "no"}')["encoded"]}, str),
        "get_access_key_info": ({"access_key_id": kit.key}, str),
        "get_federation_token": (
            {"name": "fed", "policy": POLICY, "tags": {"a": "b"}}, sts.GetFederationTokenOutput),
        "get_session_token": ({"duration_seconds": 3600, **mfa()}, rolecall.Credentials),
        "get_web_identity_token": (
            {"audience": ["service.example"], "duration_seconds": 300},
            sts.GetWebIdentityTokenOutput),
    }


def secrets_in(output):
    """The secrets in an output."""
    credentials = output if isinstance(output, rolecall.Credentials) else getattr(
        output, "credentials", None)
    found = [getattr(output, "web_identity_token", None)]
    if credentials:
        found += [credentials.secret_access_key, credentials.session_token]
    return [secret for secret in found if secret]


@pytest.mark.parametrize("how", ["blocking", "asyncio"])
def test_every_operation_answers(client, kit, how):
    listed = {name.split()[0] for name in operations(kit)}
    # The kit does not know how a customer approves a delegation.
    assert listed == public_methods() - {"get_delegated_access_token"}
    for name, (arguments, output) in operations(kit).items():
        method = name.split()[0]
        if how == "blocking":
            found = getattr(client, method)(**arguments)
        else:
            async def call():
                return await getattr(client, f"{method}_async")(**arguments)
            found = asyncio.run(call())
        assert type(found) is output, name
        assert not any(secret in repr(found) for secret in secrets_in(found))
        with pytest.raises(AttributeError):
            found.arn = "other"


def public_methods():
    names = {name for name, _ in inspect.getmembers(sts.Client) if not name.startswith("_")}
    twins = {name for name in names if name.endswith("_async")}
    assert {f"{name}_async" for name in names - twins - {"anonymous"}} == twins
    return names - twins - {"anonymous"}


def test_a_delegation_that_was_not_approved_is_denied(client):
    with pytest.raises(rolecall.RolecallError, match="GetDelegatedAccessToken"):
        client.get_delegated_access_token("token")


def test_without_credentials_a_token_is_enough(kit_home, kit):
    nobody = sts.Client.anonymous()
    found = nobody.assume_role_with_web_identity(
        kit.roles["Web"], "me", kit.web_identity_token())
    assert found.assumed_role_user.arn.endswith("assumed-role/Web/me")
    with pytest.raises(rolecall.InvalidConfigurationError, match="must be signed"):
        nobody.get_caller_identity()


def test_refusals_and_limits_have_their_kinds(client, kit):
    with pytest.raises(rolecall.DeniedError, match="AssumeRole"):
        client.assume_role(kit.roles["Final"], "me")
    before = kit.count("AssumeRole")
    with pytest.raises(rolecall.InvalidConfigurationError, match="DurationSeconds"):
        client.assume_role(kit.roles["Hop"], "me", duration_seconds=7)
    assert kit.count("AssumeRole") == before
    with pytest.raises(OverflowError):
        client.assume_role(kit.roles["Hop"], "me", duration_seconds=-1)


def test_moto_agrees(home, moto, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.url)
    home.static_profile("user", moto.key, moto.secret)
    home.role_profile("hop", moto.roles["Hop"], "user")
    client = rolecall.Session("user").sts()
    role = client.assume_role(moto.roles["Hop"], "me")
    assert role.assumed_role_user.arn.endswith("assumed-role/Hop/me")
    assert "assumed-role/Hop/" in rolecall.Session("hop").sts().get_caller_identity().arn
