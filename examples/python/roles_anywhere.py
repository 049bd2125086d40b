"""Credentials for a certificate, from IAM Roles Anywhere.

usage: roles_anywhere.py CERTIFICATE KEY TRUST_ANCHOR_ARN PROFILE_ARN ROLE_ARN
"""

import sys

import rolecall

certificate, key, trust_anchor_arn, profile_arn, role_arn = sys.argv[1:]
host = rolecall.RolesAnywhere(
    certificate=certificate,
    private_key=key,
    trust_anchor_arn=trust_anchor_arn,
    profile_arn=profile_arn,
    role_arn=role_arn,
)
session = host.session()
print(session.sts().get_caller_identity().arn, "until", session.credentials().expiration)
