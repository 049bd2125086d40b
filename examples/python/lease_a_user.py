"""An IAM user for as long as it is needed, with nothing left behind.

usage: lease_a_user.py PROFILE      one that may make users below /rolecall/
"""

import sys

import rolecall
from rolecall.secrets import SecretStore

store = SecretStore()
if not any(secret["name"] == "reader" for secret in store.definitions()):
    store.define(
        "reader",
        "iam-user",
        connection=f"profile:{sys.argv[1]}",
        policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        max_ttl="8h",
    )

with store.lease("reader", ttl="15m", note="the example") as lease:
    credentials = lease.credentials
    assert credentials is not None
    session = rolecall.Session(provider=lambda: credentials)
    print(session.sts().get_caller_identity().arn, "until", lease.expires_at)
print("afterwards it is", lease.refresh().state)
