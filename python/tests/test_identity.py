"""Identity tokens, the verifier, and tokens of EKS."""

import asyncio
import base64
import datetime
import json

import pytest

import rolecall
from rolecall import eks, identity

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
    found = identity.verify_web_identity_token(token, **rules)
    assert found["subject"] == claims["sub"]
    with pytest.raises(rolecall.DeniedError):
        identity.verify_web_identity_token(token, **{**rules, "audience": "other.example"})


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
