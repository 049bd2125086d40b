"""Leases from the shell: their users live in moto, which checks every signature and policy."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError

from programs import REGION

POLICY = {"Version": "2012-10-17",
          "Statement": [{"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}]}
ADMIN = "lease-admin"
# Each protocol has its own word for it in moto.
DENIED = ["AccessDenied", "AuthorizationError", "AccessDeniedException", "403"]


def client(moto, service, key, secret):
    return boto3.client(service, region_name=REGION, endpoint_url=moto.url,
                        aws_access_key_id=key, aws_secret_access_key=secret)


def code_of(call, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"]


@pytest.fixture(scope="module")
def admin(moto):
    """A user of moto's that may look after users."""
    moto.check_signatures(False)
    iam = client(moto, "iam", "test", "test")
    iam.create_user(UserName=ADMIN)
    may = {"Effect": "Allow", "Action": ["iam:*", "sts:*"], "Resource": "*"}
    iam.put_user_policy(UserName=ADMIN, PolicyName="leases", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [may]}))
    iam.create_group(GroupName="Readers")
    may = {"Effect": "Allow", "Action": "sns:ListTopics", "Resource": "*"}
    iam.create_policy(PolicyName="Topics", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [may]}))
    key = iam.create_access_key(UserName=ADMIN)["AccessKey"]
    moto.check_signatures(True)
    return key["AccessKeyId"], key["SecretAccessKey"]


@pytest.fixture
def lease_home(moto_home, moto, admin):
    moto_home.static_profile("admin", *admin)
    moto_home.env["AWS_ENDPOINT_URL_IAM"] = moto.url
    return moto_home


def lease(home, *arguments):
    return home.rolecall_json("lease", *arguments, "--json")


def users(home, iam):
    """The users of this home's store."""
    path = f"/rolecall/{lease(home, 'store')['id']}/"
    return iam.list_users(PathPrefix=path)["Users"]


def test_a_lease_from_its_definition_to_its_end(lease_home, moto, admin):
    home = lease_home
    # Without spaces: moto signs what it has parsed, and writes them otherwise than rolecall does.
    policy = home.write("policy.json", json.dumps(POLICY, separators=(",", ":")))
    home.rolecall("secret", "create", "app", "--profile", "admin", "--group", "Readers",
                  "--policy-arn", "arn:aws:iam::123456789012:policy/Topics",
                  "--policy-document", f"file://{policy}", "--tag", "team=blue",
                  "--username-template", "ci-{{identity.name}}", "--check")
    made = lease(home, "create", "app", "--identity", "tess", "--ttl", "15m")
    credentials, name, id = made["credentials"], made["lease"]["name"], made["lease"]["id"]
    assert name.startswith("ci-tess-")

    iam = client(moto, "iam", *admin)
    user = iam.get_user(UserName=name)["User"]
    assert user["Path"].startswith("/rolecall/")
    tags = {tag["Key"]: tag["Value"] for tag in iam.list_user_tags(UserName=name)["Tags"]}
    assert tags["team"] == "blue" and tags["rolecall:lease"] == id
    assert [group["GroupName"] for group in iam.list_groups_for_user(UserName=name)["Groups"]] == \
        ["Readers"]
    inline = iam.list_user_policies(UserName=name)["PolicyNames"]
    assert sorted(inline) == ["rolecall", "rolecall-expiry"]

    # moto knows no conditions: to it the policy that ends the user has ended it already.
    key = credentials["AccessKeyId"], credentials["SecretAccessKey"]
    assert code_of(client(moto, "sqs", *key).list_queues) in DENIED
    iam.delete_user_policy(UserName=name, PolicyName="rolecall-expiry")
    # The key works, and has just its policies.
    client(moto, "sqs", *key).list_queues()
    client(moto, "sns", *key).list_topics()
    assert code_of(client(moto, "sns", *key).create_topic, Name="x") in DENIED
    assert code_of(client(moto, "iam", *key).list_users) in DENIED
    wrong = client(moto, "iam", key[0], "not" + key[1][3:])
    assert code_of(wrong.list_users) == "SignatureDoesNotMatch"

    renewed = lease(home, "renew", id, "--ttl", "10m")
    assert renewed["expires_at"] > made["lease"]["expires_at"]
    tags = {tag["Key"]: tag["Value"] for tag in iam.list_user_tags(UserName=name)["Tags"]}
    assert tags["rolecall:expires"] == renewed["expires_at"]
    document = iam.get_user_policy(UserName=name, PolicyName="rolecall-expiry")["PolicyDocument"]
    assert renewed["expires_at"] in json.dumps(document)

    # What somebody else has attached goes too. (moto lets users go with their devices, which then
    # stay: that they do not is shown with the kit, which refuses that as AWS does.)
    iam.create_login_profile(UserName=name, Password="Correct-Horse-1")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
    iam.enable_mfa_device(UserName=name, SerialNumber=device["SerialNumber"],
                          AuthenticationCode1="123456", AuthenticationCode2="234567")
    home.rolecall("lease", "revoke", id)
    assert code_of(iam.get_user, UserName=name) == "NoSuchEntity"
    assert code_of(client(moto, "iam", *key).list_users) == "InvalidClientTokenId"
    assert lease(home, "show", id)["state"] == "revoked"
    home.rolecall("lease", "audit", id, "--verify")


def test_a_command_has_a_user_of_its_own(lease_home, moto, admin):
    lease_home.rolecall("secret", "create", "app", "--profile", "admin")
    iam = client(moto, "iam", *admin)
    # moto's STS tells who asks whatever the policies say, so the key is found to work.
    said = lease_home.rolecall("lease", "exec", "app", "--", "/usr/bin/env")
    key = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    assert key["AWS_ACCESS_KEY_ID"].startswith("AKIA")
    assert users(lease_home, iam) == []


def test_users_that_no_lease_needs_are_told(lease_home, moto, admin):
    lease_home.rolecall("secret", "create", "app", "--profile", "admin")
    made = lease(lease_home, "create", "app")
    assert lease(lease_home, "reap")["orphans"] == []
    lease_home.rolecall("lease", "revoke", made["lease"]["id"])
    assert users(lease_home, client(moto, "iam", *admin)) == []
