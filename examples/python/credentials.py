"""Credentials of a profile, and whose they are.

usage: credentials.py [PROFILE]
"""

import sys

import rolecall

session = rolecall.Session(profile=sys.argv[1] if len(sys.argv) > 1 else None)
credentials = session.credentials()
identity = session.sts().get_caller_identity()
print(f"{identity.arn}: {credentials.access_key_id} until {credentials.expiration}")
