"""The kit's IAM as AWS's own programs see it: they read every answer, page by page, and know its
errors by name. What they cannot read, rolecall must not be tested against."""

import json
from datetime import datetime

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from programs import AWS, REGION

USER = "lease-1"
POLICY = {"Version": "2012-10-17",
          "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}


def client(kit, service, key, secret, attempts=1):
    config = Config(retries={"total_max_attempts": attempts, "mode": "standard"})
    return boto3.client(service, region_name=REGION, endpoint_url=kit.url, config=config,
                        aws_access_key_id=key, aws_secret_access_key=secret)


@pytest.fixture
def iam(kit):
    return Strict(client(kit, "iam", kit.admin_key, kit.admin_secret))


class Strict:
    """A client whose answers must hold every field that the API model requires."""

    def __init__(self, plain):
        self.plain = plain

    def __getattr__(self, name):
        operation = self.plain.meta.method_to_api_mapping[name]
        shape = self.plain.meta.service_model.operation_model(operation).output_shape

        def call(**arguments):
            answer = getattr(self.plain, name)(**arguments)
            if shape:
                require(shape, answer, operation)
            return answer
        return call


def require(shape, value, path):
    if shape.type_name == "structure":
        for name in shape.required_members:
            assert name in value, f"{path} has no {name}: {value}"
        for name, member in shape.members.items():
            if name in value:
                require(member, value[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for item in value:
            require(shape.member, item, f"{path}[]")


def refused(call, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"]


def test_boto3_leads_a_user_through_its_life(iam, kit):
    tags = [{"Key": "lease", "Value": "a b"}]
    boundary = "arn:aws:iam::111111111111:policy/LeaseBoundary"
    user = iam.create_user(UserName=USER, Path="/rolecall/s/", Tags=tags,
                           PermissionsBoundary=boundary)["User"]
    assert user["Arn"] == f"arn:aws:iam::111111111111:user/rolecall/s/{USER}"
    assert isinstance(user["CreateDate"], datetime)
    seen = iam.get_user(UserName=USER)["User"]
    assert seen["Tags"] == tags
    assert seen["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    assert "Tags" not in iam.list_users(PathPrefix="/rolecall/")["Users"][0]

    iam.put_user_policy(UserName=USER, PolicyName="p", PolicyDocument=json.dumps(POLICY))
    assert iam.get_user_policy(UserName=USER, PolicyName="p")["PolicyDocument"] == POLICY
    assert iam.list_user_policies(UserName=USER)["PolicyNames"] == ["p"]
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    iam.attach_user_policy(UserName=USER, PolicyArn=arn)
    attached = iam.list_attached_user_policies(UserName=USER)["AttachedPolicies"]
    assert attached == [{"PolicyName": "ReadOnlyAccess", "PolicyArn": arn}]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["IsAttachable"] is True
    iam.add_user_to_group(UserName=USER, GroupName="Auditors")
    assert iam.list_groups_for_user(UserName=USER)["Groups"][0]["Path"] == "/team/"
    assert iam.get_group(GroupName="Auditors")["Users"][0]["UserName"] == USER

    key = iam.create_access_key(UserName=USER)["AccessKey"]
    sts = client(kit, "sts", key["AccessKeyId"], key["SecretAccessKey"])
    assert sts.get_caller_identity()["UserId"] == user["UserId"]
    used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert used["AccessKeyLastUsed"]["ServiceName"] == "sts"
    summary = iam.get_account_summary()["SummaryMap"]
    assert summary["AccessKeysPerUserQuota"] == 2

    kit.post("iam/by-hand", user=USER, login_profile=True, virtual_mfa=True, signing_certificate=True,
             ssh_public_key=True, service_specific_credential=True)
    assert refused(iam.delete_user, UserName=USER) == "DeleteConflict"
    sweep(iam, USER)
    assert refused(iam.get_user, UserName=USER) == "NoSuchEntity"
    assert refused(sts.get_caller_identity) == "InvalidClientTokenId"
    assert USER not in [user["name"] for user in kit.get("iam/users")]


def sweep(iam, user):
    """Everything that DeleteUser wants gone, found by the lists."""
    iam.get_login_profile(UserName=user)
    iam.delete_login_profile(UserName=user)
    for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    for one in iam.list_signing_certificates(UserName=user)["Certificates"]:
        iam.delete_signing_certificate(UserName=user, CertificateId=one["CertificateId"])
    for one in iam.list_ssh_public_keys(UserName=user)["SSHPublicKeys"]:
        iam.delete_ssh_public_key(UserName=user, SSHPublicKeyId=one["SSHPublicKeyId"])
    for one in iam.list_service_specific_credentials(UserName=user)["ServiceSpecificCredentials"]:
        iam.delete_service_specific_credential(
            UserName=user, ServiceSpecificCredentialId=one["ServiceSpecificCredentialId"])
    for one in iam.list_mfa_devices(UserName=user)["MFADevices"]:
        iam.deactivate_mfa_device(UserName=user, SerialNumber=one["SerialNumber"])
        iam.delete_virtual_mfa_device(SerialNumber=one["SerialNumber"])
    for name in iam.list_user_policies(UserName=user)["PolicyNames"]:
        iam.delete_user_policy(UserName=user, PolicyName=name)
    for one in iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]:
        iam.detach_user_policy(UserName=user, PolicyArn=one["PolicyArn"])
    for one in iam.list_groups_for_user(UserName=user)["Groups"]:
        iam.remove_user_from_group(UserName=user, GroupName=one["GroupName"])
    iam.delete_user(UserName=user)


def test_boto3s_paginators_see_every_user_once(iam, kit):
    names = [f"u{n:03}" for n in range(25)]
    for name in names:
        iam.create_user(UserName=name, Path="/p/")
    kit.post("iam/settings", page_limit=4)
    pages = iam.plain.get_paginator("list_users").paginate(
        PathPrefix="/p/", PaginationConfig={"PageSize": 10})
    found = [[user["UserName"] for user in page["Users"]] for page in pages]
    assert [len(page) for page in found] == [4] * 6 + [1]
    assert [name for page in found for name in page] == names
    tags = [{"Key": f"k{n}", "Value": ""} for n in range(9)]
    iam.tag_user(UserName="u000", Tags=tags)
    pages = iam.plain.get_paginator("list_user_tags").paginate(UserName="u000")
    assert sorted(tag["Key"] for page in pages for tag in page["Tags"]) == \
        [tag["Key"] for tag in tags]


def test_boto3_knows_the_errors(iam, kit):
    iam.create_user(UserName=USER)
    plain = iam.plain
    with pytest.raises(plain.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=USER.upper())
    with pytest.raises(plain.exceptions.NoSuchEntityException):
        iam.get_user(UserName="nobody")
    with pytest.raises(plain.exceptions.MalformedPolicyDocumentException):
        iam.put_user_policy(UserName=USER, PolicyName="p", PolicyDocument="{}")
    for _ in range(2):
        iam.create_access_key(UserName=USER)
    with pytest.raises(plain.exceptions.LimitExceededException):
        iam.create_access_key(UserName=USER)
    with pytest.raises(plain.exceptions.DeleteConflictException):
        iam.delete_user(UserName=USER)
    alice = client(kit, "iam", kit.key, kit.secret)
    with pytest.raises(ClientError, match="user/alice is not authorized to perform: iam:ListUsers"):
        alice.list_users()


def test_boto3_calls_again_when_it_is_throttled_or_an_answer_is_lost(kit):
    patient = client(kit, "iam", kit.admin_key, kit.admin_secret, attempts=4)
    kit.post("chaos", operation="CreateUser", count=1, fault={"kind": "throttle"})
    patient.create_user(UserName=USER)
    assert kit.count("CreateUser") == 2
    # The user was made, and boto3's second try finds it: what a careful client must expect.
    kit.post("chaos", operation="CreateUser", count=1, fault={"kind": "lose_reply"})
    with pytest.raises(patient.exceptions.EntityAlreadyExistsException):
        patient.create_user(UserName="other")


def test_simulation_answers_as_the_model_says(iam, kit):
    results = iam.simulate_principal_policy(
        PolicySourceArn=kit.roles["Leases"], ActionNames=["iam:CreateUser", "iam:PassRole"],
        ResourceArns=["arn:aws:iam::111111111111:user/rolecall/x"])["EvaluationResults"]
    assert [one["EvalDecision"] for one in results] == ["allowed", "implicitDeny"]


@pytest.mark.parametrize("version", AWS)
def test_the_aws_cli_too(home, kit, version):
    home.static_profile("admin", kit.admin_key, kit.admin_secret)

    def aws(*arguments):
        return json.loads(home.aws(version, "iam", *arguments, "--profile", "admin",
                                   "--endpoint-url", kit.url) or "{}")
    made = aws("create-user", "--user-name", USER, "--path", "/rolecall/")
    assert made["User"]["UserId"].startswith("AIDA")
    aws("put-user-policy", "--user-name", USER, "--policy-name", "p",
        "--policy-document", json.dumps(POLICY))
    shown = aws("get-user-policy", "--user-name", USER, "--policy-name", "p")
    assert shown["PolicyDocument"] == POLICY
    listed = aws("list-users", "--path-prefix", "/rolecall/")
    assert [user["UserName"] for user in listed["Users"]] == [USER]
    aws("delete-user-policy", "--user-name", USER, "--policy-name", "p")
    aws("delete-user", "--user-name", USER)
