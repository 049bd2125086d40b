"""Tokens of the clients that rolecall stands in for, byte for byte. Ours are those of the vectors,
which a test in Rust holds equal to what the library makes."""

import base64
import datetime
import json
from pathlib import Path

import akeyless_cloud_id.cloud_id
import awscli.customizations.eks.get_token
import botocore.auth
import botocore.session
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

VECTORS = json.loads(
    Path(__file__).parents[2].joinpath("sts-client/tests/identity-vectors.json").read_text())
NOW = datetime.datetime.strptime(VECTORS["now"], "%Y-%m-%dT%H:%M:%SZ")
KEYS = VECTORS["credentials"]


def ours(dialect):
    return next(case["token"] for case in VECTORS["cases"]
                if case["row"] == 0 and case["name"] == dialect)


@pytest.fixture(autouse=True)
def frozen(monkeypatch):
    class Frozen(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return NOW

    class Module:
        datetime = Frozen

    monkeypatch.setattr(akeyless_cloud_id.cloud_id, "datetime", Module)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: NOW)


def test_akeyless():
    theirs = akeyless_cloud_id.CloudId().generate(
        KEYS["access_key_id"], KEYS["secret_access_key"], KEYS["session_token"])
    assert ours("akeyless") == theirs


def test_eks():
    session = botocore.session.get_session()
    session.set_credentials(
        KEYS["access_key_id"], KEYS["secret_access_key"], KEYS["session_token"])
    get_token = awscli.customizations.eks.get_token
    factory = get_token.STSClientFactory(session)
    client = session.create_client(
        "sts", region_name="us-east-1", endpoint_url="https://sts.amazonaws.com")
    factory._register_k8s_aws_id_handlers(client)
    theirs = get_token.TokenGenerator(client).get_token(VECTORS["binding"]["cluster"])
    assert ours("eks") == theirs


def test_infisical():
    # As infisicalsdk makes it, with botocore's signer.
    body = "Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest(method="POST", url="https://sts.amazonaws.com/", data=body)
    request.headers["X-Amz-Date"] = NOW.strftime("%Y%m%dT%H%M%SZ")
    request.headers["Host"] = "sts.amazonaws.com"
    request.headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    request.headers["Content-Length"] = str(len(body))
    keys = Credentials(KEYS["access_key_id"], KEYS["secret_access_key"], KEYS["session_token"])
    botocore.auth.SigV4Auth(keys, "sts", "us-east-1").add_auth(request)
    headers = {name: value for name, value in request.headers.items()
               if name.lower() != "content-length"}
    theirs = json.dumps({
        "identityId": "id-1",
        "iamRequestBody": base64.b64encode(body.encode()).decode(),
        "iamRequestHeaders": base64.b64encode(json.dumps(headers).encode()).decode(),
        "iamHttpRequestMethod": "POST",
    })
    assert ours("infisical") == theirs
