"""Identity tokens, the verifier, and tokens of EKS."""

import asyncio
import base64
import datetime
import json

import pytest

import rolecall
from rolecall import eks, identity
from rolecall.secrets import SecretStore

ACCOUNT = "111111111111"


@pytest.fixture
def session(kit_home):
    return rolecall.Session("hop")


@pytest.fixture
def bounds(kit):
    return {"account_ids": [kit.roles["Hop"].split(":")[4]], "role_names": ["Hop"],
            "sts_url": kit.url}


DIALECTS = {
    "akeyless": {},
    "vault": {"role": "app", "server_id": "vault.example"},
    "infisical": {"identity_id": "id-1"},
    "eks": {"cluster": "prod"},
    "rolecall": {"audience": "api.example", "lifetime": 30},
}
BINDING = {"server_id": "vault.example", "cluster": "prod", "audience": "api.example"}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_tokens_of_every_dialect_are_verified_once(session, bounds, dialect):
    source = identity.TokenSource(session, dialect, **DIALECTS[dialect])
    policy = identity.Policy(formats=list(DIALECTS), **bounds, **BINDING)
    verifier = identity.Verifier()
    token = source.token()
    assert token.format == dialect and token.text not in repr(token)
    decision = verifier.verify(token.text, policy)
    assert decision.accepted, decision
    assert decision.caller()["account"] == bounds["account_ids"][0]
    assert "assumed-role/Hop/" in decision.caller()["arn"]
    again = verifier.verify(token.text, policy)
    assert not again.accepted and again.refused_by == "replay"
    with pytest.raises(rolecall.DeniedError):
        again.caller()


def test_a_store_remembers_for_all_who_check(session, bounds, kit_home):
    policy = identity.Policy(formats=["akeyless"], **bounds)
    store = SecretStore(str(kit_home.path / "leases.db"))
    token = identity.TokenSource(session).token().text
    # Each for itself lets it in.
    assert all(identity.Verifier().verify(token, policy).accepted for _ in range(2))
    assert identity.Verifier(guard=store).verify(token, policy).accepted
    again = identity.Verifier(guard=SecretStore(str(kit_home.path / "leases.db")))
    assert again.verify(token, policy).refused_by in ("replay", "spend")
    with pytest.raises(TypeError):
        identity.Verifier(guard="leases.db")


def test_asyncio_makes_and_checks_them_too(session, bounds):
    async def main():
        source = identity.TokenSource(session, "rolecall", audience="api.example")
        policy = identity.Policy(formats=["rolecall"], audience="api.example", **bounds)
        verifier = identity.Verifier(mode="cached", max_age=60, time_limit=10)
        token = await source.token_async()
        return [await verifier.verify_async(token.text, policy) for _ in range(2)]

    assert all(decision.accepted for decision in asyncio.run(main()))


def test_challenges_are_answered(session, bounds):
    challenges = identity.Challenges(bytes(range(32)), life=60)
    policy = identity.Policy(formats=["rolecall"], audience="api.example", challenges=challenges,
                             **bounds)
    verifier = identity.Verifier()
    unasked = identity.TokenSource(session, "rolecall", audience="api.example").token()
    assert verifier.verify(unasked.text, policy).refused_by == "challenge"
    answer = identity.TokenSource(session, "rolecall", audience="api.example",
                                  challenge=challenges.issue("api.example")).token()
    assert verifier.verify(answer.text, policy).accepted
    with pytest.raises((TypeError, ValueError)):
        identity.Challenges(b"short")


def test_who_is_not_named_stays_out(session, kit, bounds):
    token = identity.TokenSource(session).token()
    for change, check in [({"account_ids": ["999999999999"]}, "account"),
                          ({"role_names": ["Other"]}, "role-name"),
                          ({"sts_url": "https://sts.example"}, "endpoint")]:
        policy = identity.Policy(formats=["akeyless"], **{**bounds, **change})
        decision = identity.Verifier(mode="cached").verify(token.text, policy)
        assert decision.refused_by == check and decision.reason
        assert decision.to_dict()["accepted"] is False
    for junk in ["", "x" * 100_000, "e30=", token.text[:-4]]:
        decision = identity.Verifier().verify(junk, identity.Policy(formats=["akeyless"], **bounds))
        assert not decision.accepted


def test_what_makes_no_sense_is_refused(session, bounds):
    for source, word in [(("nobody's",), "akeyless"), (("eks",), "cluster"),
                         (("rolecall",), "audience")]:
        with pytest.raises(rolecall.InvalidConfigurationError, match=word):
            identity.TokenSource(session, *source)
    with pytest.raises(rolecall.InvalidConfigurationError, match="no cluster"):
        identity.TokenSource(session, "vault", cluster="prod")
    with pytest.raises(rolecall.InvalidConfigurationError):
        identity.Policy(account_ids=[], formats=["akeyless"])
    with pytest.raises(rolecall.InvalidConfigurationError, match="unique identifier"):
        identity.Policy(formats=["akeyless"], unique_identifier="arn", **bounds)
    with pytest.raises(rolecall.InvalidConfigurationError, match="mode"):
        identity.Verifier(mode="twice")


def test_inspection_shows_no_secret(session):
    token = identity.TokenSource(session, "vault", server_id="vault.example").token()
    shown = identity.inspect(token.text)
    assert shown["format"] == "vault" and shown["binding"] == "vault.example"
    assert session.credentials().session_token not in json.dumps(shown)
    with pytest.raises(rolecall.RolecallError):
        identity.inspect("nothing")


def test_web_identity_tokens_are_checked_offline(kit_home, kit, session):
    token = session.sts().get_web_identity_token(["api.example"]).web_identity_token
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    keys = kit_home.write("jwks.json", json.dumps(kit.get("oidc/.well-known/jwks.json")))
    rules = {"jwks": keys, "issuer": claims["iss"], "audience": "api.example"}
    text = keys.read_text()
    for jwks in [keys, str(keys), text, text.encode(), json.loads(text)]:
        found = identity.verify_web_identity_token(token, **{**rules, "jwks": jwks})
        assert found["subject"] == claims["sub"]
    for jwks in ["{}", b"\xff", {"keys": []}, "/nowhere.json", keys.parent]:
        with pytest.raises(rolecall.InvalidConfigurationError):
            identity.verify_web_identity_token(token, **{**rules, "jwks": jwks})
    with pytest.raises(rolecall.DeniedError):
        identity.verify_web_identity_token(token, **{**rules, "audience": "other.example"})


def test_eks_has_roles_of_its_own_and_writes_what_kubectl_reads(kit_home, kit, session):
    role = eks.session(kit.roles["Hop"], "user", role_session_name="kube", disk_cache=False)
    assert role.sts().get_caller_identity().arn.endswith(":assumed-role/Hop/kube")
    token = eks.token(role, "prod")
    told = json.loads(eks.exec_credential(token))
    assert told["kind"] == "ExecCredential" and told["status"]["token"] == token.text
    with pytest.raises(rolecall.InvalidConfigurationError, match="none of a cluster"):
        eks.exec_credential(identity.TokenSource(session).token())
    with pytest.raises(rolecall.InvalidConfigurationError):
        eks.session("role/Hop", "user").credentials()


def test_a_cluster_is_put_into_a_kubeconfig(kit_home, kit):
    file = kit_home.path / "kubeconfig"
    how = {"kubeconfig": file, "alias": "here", "command": "rolecall", "eks_endpoint_url": kit.url}
    told = eks.update_kubeconfig("prod", "user", dry_run=True, **how)
    assert not file.exists() and "current-context: here" in told["text"]
    told = eks.update_kubeconfig("prod", "user", **how)
    assert (told["kubeconfig"], told["context"], told["updated"]) == (str(file), "here", False)
    assert "current-context: here" in file.read_text() and "text" not in told
    assert told["changed"] and not eks.update_kubeconfig("prod", "user", **how)["changed"]
    with pytest.raises(rolecall.InvalidConfigurationError, match="command"):
        eks.update_kubeconfig("prod", "user", **{**how, "command": "kubectl"})
    with pytest.raises(rolecall.InvalidConfigurationError):
        eks.update_kubeconfig("absent", "user", **how)
    with pytest.raises(rolecall.UnavailableError, match="CREATING"):
        eks.update_kubeconfig("new", "user", **how)


def test_eks_gives_tokens_of_fourteen_minutes(session):
    token = eks.token(session, "prod")
    assert token.text.startswith("k8s-aws-v1.") and token.format == "eks"
    left = token.expires_at - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(minutes=13) < left <= datetime.timedelta(minutes=14)

    async def later():
        return await eks.token_async(session, "prod")

    assert asyncio.run(later()).text.startswith("k8s-aws-v1.")
    with pytest.raises(rolecall.InvalidConfigurationError):
        eks.token(session, "no such name")
