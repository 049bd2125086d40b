"""boto3 with rolecall's credentials."""

import collections
import datetime
import json
import threading

import boto3
import botocore.config
import botocore.exceptions
import botocore.session
import pytest

import rolecall
import rolecall.boto3


@pytest.fixture
def moto_home(home, moto, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.url)
    moto.check_signatures(True)
    home.static_profile("user", moto.key, moto.secret)
    home.role_profile("hop", moto.roles["Hop"], "user")
    return home


@pytest.fixture(scope="module")
def keeper(moto):
    """A user who may assume a role that may use S3, and a bucket; then moto checks signatures."""
    moto.check_signatures(False)
    made = lambda service: boto3.client(
        service, endpoint_url=moto.url, region_name="us-east-1", aws_access_key_id="test",
        aws_secret_access_key="test")
    iam = made("iam")
    role = "arn:aws:iam::123456789012:role/Store"
    iam.create_user(UserName="keeper")
    iam.put_user_policy(UserName="keeper", PolicyName="p",
                        PolicyDocument=allow({"Action": "sts:AssumeRole", "Resource": role}))
    iam.create_role(RoleName="Store", AssumeRolePolicyDocument=allow(
        {"Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}))
    iam.put_role_policy(RoleName="Store", PolicyName="p",
                        PolicyDocument=allow({"Action": "s3:*", "Resource": "*"}))
    made("s3").create_bucket(Bucket="things")
    key = iam.create_access_key(UserName="keeper")["AccessKey"]
    moto.check_signatures(True)
    return rolecall.Credentials(key["AccessKeyId"], key["SecretAccessKey"]), role


def allow(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


class Brief:
    """A role's sessions that end two seconds after they were made, whatever AWS says."""

    def __init__(self, keys, role):
        self.sts, self.role = rolecall.Session(provider=lambda: keys).sts(), role
        self.made = []

    def __call__(self):
        given = self.sts.assume_role(self.role, f"brief-{len(self.made)}").credentials
        self.made.append(given.access_key_id)
        return rolecall.Credentials(given.access_key_id, given.secret_access_key,
                                    given.session_token, expiration=soon(2))


def soon(seconds):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)


def client(session, service="s3"):
    config = botocore.config.Config(s3={"addressing_style": "path"})
    return session.client(service, config=config)


def test_objects_go_both_ways_while_credentials_end(moto_home, keeper):
    brief = Brief(*keeper)
    session = boto3.Session()
    rolecall.boto3.install(session, rolecall.Session(provider=brief))
    s3, used = client(session), set()

    def note(request, **_):
        header = request.headers["Authorization"]
        header = header.decode() if isinstance(header, bytes) else header
        used.add(header.split("Credential=")[1].split("/")[0])

    s3.meta.events.register("before-send.s3", note)
    until, number = soon(60), 0
    while len(used) < 3 and soon(0) < until:
        s3.put_object(Bucket="things", Key=f"thing-{number}", Body=b"x" * number)
        assert s3.get_object(Bucket="things", Key=f"thing-{number}")["Body"].read() == b"x" * number
        number += 1
    # Each session was used, and made by one call, however many requests there were.
    assert len(used) == 3 and used == set(brief.made) and number > 5


def test_moto_refuses_another_secret(moto_home, keeper):
    keys, _ = keeper
    forged = rolecall.Credentials(keys.access_key_id, "x" * 40)
    session = boto3.Session()
    rolecall.boto3.install(session, rolecall.Session(provider=lambda: forged))
    with pytest.raises(botocore.exceptions.ClientError, match="SignatureDoesNotMatch"):
        client(session).list_objects_v2(Bucket="things")


def test_threads_and_clients_refresh_once(moto_home, keeper):
    brief = Brief(*keeper)
    made = []

    def provider():
        made.append(1)
        given = brief()
        return rolecall.Credentials(given.access_key_id, given.secret_access_key,
                                    given.session_token, expiration=soon(3600))

    session = boto3.Session()
    rolecall.boto3.install(session, rolecall.Session(provider=provider))
    clients = [client(session) for _ in range(4)]
    threads = [threading.Thread(target=lambda c=c: [c.list_objects_v2(Bucket="things") for _ in range(5)])
               for c in clients for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_moto_knows_the_role_of_a_profile(moto_home, moto):
    session = rolecall.boto3.session(profile="hop")
    assert session.region_name == "us-east-1"
    arn = client(session, "sts").get_caller_identity()["Arn"]
    assert "assumed-role/Hop/" in arn
    frozen = session.get_credentials().get_frozen_credentials()
    assert frozen.access_key == rolecall.Session("hop").credentials().access_key_id
    assert frozen.secret_key not in repr(session.get_credentials())


def test_botocore_alone_will_do_and_errors_are_ours(home):
    session = botocore.session.Session()
    rolecall.boto3.install(session, rolecall.Session(provider=dict))
    with pytest.raises(rolecall.MalformedError):
        session.create_client("s3", region_name="us-east-1").list_buckets()
    with pytest.raises(rolecall.InvalidConfigurationError, match="nowhere"):
        rolecall.boto3.session("nowhere")


def test_another_provider_is_refused_and_the_same_is_not(home):
    made = lambda key: rolecall.Session(provider=lambda: rolecall.Credentials(key, "s"))
    first, second = made("AKIDFIRST"), made("AKIDSECOND")
    session = boto3.Session()
    rolecall.boto3.install(session, first)
    rolecall.boto3.install(session, first)
    with pytest.raises(rolecall.InvalidConfigurationError, match="already"):
        rolecall.boto3.install(session, second)
    assert session.get_credentials().get_frozen_credentials().access_key == "AKIDFIRST"

    # Nor is it changed behind a session that has used what it found.
    home.static_profile("default", "AKIDFILE", "s")
    used = boto3.Session()
    assert used.get_credentials().access_key == "AKIDFILE"
    with pytest.raises(rolecall.InvalidConfigurationError, match="already"):
        rolecall.boto3.install(used, first)
    assert used._session.get_component("credential_provider").load_credentials().method != "rolecall"


def test_older_versions_of_botocore_know_no_account(home, monkeypatch):
    old = collections.namedtuple("ReadOnlyCredentials", ["access_key", "secret_key", "token"])
    monkeypatch.setattr(rolecall.boto3, "ReadOnlyCredentials", old)
    keys = rolecall.Credentials("AKID", "s", "t", account_id="123456789012")
    session = boto3.Session()
    rolecall.boto3.install(session, rolecall.Session(provider=lambda: keys))
    assert session.get_credentials().get_frozen_credentials() == ("AKID", "s", "t")


def test_a_session_with_keys_of_its_own_is_refused(home):
    session = boto3.Session(aws_access_key_id="AKID", aws_secret_access_key="s")
    with pytest.raises(rolecall.InvalidConfigurationError, match="already"):
        rolecall.boto3.install(session, rolecall.Session(provider=dict))
