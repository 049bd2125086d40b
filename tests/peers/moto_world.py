"""moto's server with users and roles made, then its signature checks switched on."""

import json
import re
import urllib.request

import boto3

from programs import MOTO, REGION, TIME_OUT, Server

READY = re.compile(r" \* Running on (http://127\.0\.0\.1:\d+)")
ACCOUNTS = {"Hop": "222222222222", "Deploy": "333333333333", "Final": "444444444444"}
USER_ACCOUNT = "123456789012"
# Besides AssumeRole; moto knows no resource for these.
USERS_MAY = ["sts:GetSessionToken", "sts:GetFederationToken", "sts:GetAccessKeyInfo"]


class MotoWorld:
    """A user may assume Hop, Hop may assume Deploy, Deploy may assume Final: each in an account of
    its own. The user `idle` may do nothing."""

    def __init__(self, folder):
        self._server = Server([MOTO, "-H", "127.0.0.1", "-p", "0"], folder, READY.match)
        self.stop = self._server.stop
        self.url = READY.match(self._server.line).group(1)
        self.roles = {name: f"arn:aws:iam::{account}:role/{name}"
                      for name, account in ACCOUNTS.items()}
        self.web_role = f"arn:aws:iam::{USER_ACCOUNT}:role/Web"

        iam = self._client("iam")
        self.key, self.secret = self._user(iam, "alice", self.roles["Hop"])
        self.idle_key, self.idle_secret = self._user(iam, "idle", None)
        self._role(iam, "Web", "*", None)
        self._role(self._iam_of("Hop"), "Hop", USER_ACCOUNT, self.roles["Deploy"])
        self._role(self._iam_of("Deploy"), "Deploy", ACCOUNTS["Hop"], self.roles["Final"])
        self._role(self._iam_of("Final"), "Final", ACCOUNTS["Deploy"], None)
        self.check_signatures(True)

    def _client(self, service, key="test", secret="test", token=None):
        return boto3.client(service, endpoint_url=self.url, region_name=REGION,
                            aws_access_key_id=key, aws_secret_access_key=secret,
                            aws_session_token=token)

    def _iam_of(self, role):
        """IAM of the role's account: moto takes the account from the caller's role."""
        given = self._client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNTS[role]}:role/Setup", RoleSessionName="setup")
        keys = given["Credentials"]
        return self._client("iam", keys["AccessKeyId"], keys["SecretAccessKey"],
                            keys["SessionToken"])

    def _user(self, iam, name, may_assume):
        iam.create_user(UserName=name)
        if may_assume:
            iam.put_user_policy(UserName=name, PolicyName="assume",
                                PolicyDocument=_allow(may_assume, USERS_MAY))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def _role(self, iam, name, trusted, may_assume):
        statement = {"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"}
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [statement]}))
        if may_assume:
            iam.put_role_policy(RoleName=name, PolicyName="assume",
                                PolicyDocument=_allow(may_assume))

    def check_signatures(self, on):
        """moto cannot take unsigned calls, as web identity makes, while it checks the others."""
        free_calls = b"0" if on else b"inf"
        request = urllib.request.Request(f"{self.url}/moto-api/reset-auth", free_calls,
                                         {"Content-Type": "text/plain"})
        urllib.request.urlopen(request, timeout=TIME_OUT).close()


def _allow(role_arn, others=()):
    statements = [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role_arn}]
    if others:
        statements.append({"Effect": "Allow", "Action": list(others), "Resource": "*"})
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
