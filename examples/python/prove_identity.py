"""A workload proves who it is, and a server checks that. Both are here; a token goes between them.

usage: prove_identity.py ACCOUNT ROLE_NAME [STS_URL]
"""

import sys
from typing import Optional

import rolecall
from rolecall import identity

account, role_name = sys.argv[1:3]
sts_url: Optional[str] = sys.argv[3] if len(sys.argv) > 3 else None

# The server: whom it lets in, and a challenge, so that a token was made after it.
challenges = identity.Challenges()
policy = identity.Policy(
    account_ids=[account],
    role_names=[role_name],
    formats=["rolecall"],
    audience="shop.example",
    challenges=challenges,
    sts_url=sts_url,
)
verifier = identity.Verifier()
challenge = challenges.issue("shop.example")

# The workload: with whatever credentials it has.
source = identity.TokenSource(
    rolecall.Session(), "rolecall", audience="shop.example", challenge=challenge
)
token = source.token()

# The server again.
decision = verifier.verify(token.text, policy)
if not decision.accepted:
    raise SystemExit(f"stay out: {decision.reason}")
print(decision.caller()["arn"], "is in")
print("the same token again:", verifier.verify(token.text, policy).reason)
