"""The cache in ~/.aws/cli/cache: what one program wrote, the others use without asking STS."""

import json
import os
import re
import stat

import pytest

from programs import AWS

WRITERS = ["rolecall", *AWS]
# How profiles differ for the cache: each of these settings is part of an entry's name, or not.
PROFILES = {
    "plain": ("Hop", []),
    "named": ("Hop", ["role_session_name = me@example"]),
    "external": ("External", ["external_id = external-id:42"]),
    "all": ("External", ["external_id = external-id:42", "role_session_name = me",
                         "duration_seconds = 1800"]),
    "long": ("Long", ["duration_seconds = 43200", "region = eu-west-1"]),
}


def add_profiles(home, kit):
    for name, (role, settings) in PROFILES.items():
        home.role_profile(name, kit.roles[role], "user", *settings)
    token = home.write("token", kit.web_identity_token())
    home.config(f"[profile web]\nrole_arn = {kit.roles['Web']}\n"
                f"role_session_name = web\nweb_identity_token_file = {token}")


def identity(home, program, profile):
    if program == "rolecall":
        return home.rolecall_json("sts", "get-caller-identity", "--profile", profile)
    return home.aws_identity(program, "--profile", profile)


def asked(kit):
    return kit.count("AssumeRole") + kit.count("AssumeRoleWithWebIdentity")


READ_BY_AWS_CLI = [(version, profile) for version in AWS for profile in [*PROFILES, "web", "final"]
                   # AWS CLI v1 names it by the token's text: see the test after this one.
                   if (version, profile) != ("v1", "web")]


@pytest.mark.parametrize("version, profile", READ_BY_AWS_CLI)
def test_aws_cli_reads_what_rolecall_wrote(kit_home, kit, version, profile):
    add_profiles(kit_home, kit)
    first = identity(kit_home, "rolecall", profile)
    before = asked(kit)
    assert before == (3 if profile == "final" else 1)
    # The same session: a new one would have another id.
    assert identity(kit_home, version, profile) == first
    assert asked(kit) == before


def test_aws_cli_v1_names_web_identity_after_the_token(kit_home, kit):
    # rolecall writes under v2's name only, as v1 leaves a file behind each time the token changes.
    add_profiles(kit_home, kit)
    identity(kit_home, "rolecall", "web")
    newer = identity(kit_home, "v1", "web")
    assert asked(kit) == 2
    assert len(list(kit_home.cache.iterdir())) == 2
    assert newer["Arn"] == identity(kit_home, "rolecall", "web")["Arn"]
    assert asked(kit) == 2


@pytest.mark.parametrize("profile", [*PROFILES, "web", "final"])
@pytest.mark.parametrize("version", AWS)
def test_rolecall_reads_what_aws_cli_wrote(kit_home, kit, version, profile):
    add_profiles(kit_home, kit)
    first = identity(kit_home, version, profile)
    before = asked(kit)
    assert before == (3 if profile == "final" else 1)
    assert identity(kit_home, "rolecall", profile) == first
    assert asked(kit) == before


@pytest.mark.parametrize("version", AWS)
def test_the_two_name_and_shape_an_entry_alike(kit_home, kit, version):
    add_profiles(kit_home, kit)
    entries = []
    for program in ["rolecall", version]:
        for profile in [*PROFILES, "final"]:
            identity(kit_home, program, profile)
        entries.append({path.name: json.loads(path.read_text())
                        for path in kit_home.cache.iterdir()})
        for path in kit_home.cache.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            path.unlink()
    ours, theirs = entries
    assert ours.keys() == theirs.keys()
    for name in ours:
        # AccountId came with later versions than Debian's.
        expected = theirs[name]["Credentials"].keys() | {"AccountId"}
        assert ours[name]["Credentials"].keys() == expected
        form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
        assert form.fullmatch(ours[name]["Credentials"]["Expiration"])


@pytest.mark.parametrize("writer", WRITERS)
def test_the_shortest_session_is_a_hit_for_rolecall(kit_home, kit, writer):
    # AWS CLI itself takes what has less than 15 minutes left for a miss.
    kit_home.role_profile("short", kit.roles["Hop"], "user", "duration_seconds = 900")
    first = identity(kit_home, writer, "short")
    assert identity(kit_home, "rolecall", "short") == first
    assert kit.count("AssumeRole") == 1


def test_aws_cli_writes_over_what_it_takes_for_a_miss(kit_home, kit):
    kit_home.role_profile("short", kit.roles["Hop"], "user", "duration_seconds = 900")
    for version in AWS:
        identity(kit_home, "rolecall", "short")
        newer = identity(kit_home, version, "short")
        assert identity(kit_home, "rolecall", "short") == newer
    assert kit.count("AssumeRole") == 3


def test_no_cache_leaves_the_cache_alone(kit_home, kit):
    kit_home.rolecall("export", "--profile", "hop", "--no-cache")
    assert not kit_home.cache.exists()
    assert kit.count("AssumeRole") == 1


def test_an_entry_for_another_source_is_a_miss_for_rolecall(kit_home, kit):
    # AWS CLI's name of an entry leaves the source out; rolecall must not mix sources up.
    bob = next(user for user in kit.get("world")["users"] if user["name"] == "bob")
    key = bob["access_keys"][0]
    kit_home.static_profile("bob", key["id"], key["secret"])
    kit_home.role_profile("for-bob", kit.roles["Hop"], "bob")
    kit_home.rolecall("export", "--profile", "hop")
    assert "AccessDenied" in kit_home.rolecall("export", "--profile", "for-bob", expect=5)


@pytest.mark.parametrize("writer", WRITERS)
def test_list_and_clear(kit_home, kit, writer):
    assert kit_home.rolecall_json("cache", "list", "--json") == {"entries": []}
    identity(kit_home, writer, "hop")
    entry, = kit_home.rolecall_json("cache", "list", "--json")["entries"]
    assert [entry["name"]] == os.listdir(kit_home.cache)
    written = json.loads((kit_home.cache / entry["name"]).read_text())
    assert entry["access_key_id"] == written["Credentials"]["AccessKeyId"]
    table = kit_home.rolecall("cache", "list")
    assert entry["access_key_id"] in table and " 59 min " in table
    for secret in ["SecretAccessKey", "SessionToken"]:
        assert written["Credentials"][secret] not in table

    sso = kit_home.write(".aws/sso/cache/token.json", "{}")
    assert kit_home.rolecall_json("cache", "clear", "--json") == {"removed": 1}
    assert os.listdir(kit_home.cache) == [] and sso.exists()
    identity(kit_home, "rolecall", "hop")
    assert kit.count("AssumeRole") == 2


BOTO3_WITH_SHARED_CACHE = """
import boto3, botocore.session, os, sys
from botocore.credentials import JSONFileCache
inner = botocore.session.Session(profile=sys.argv[1])
provider = inner.get_component("credential_provider").get_provider("assume-role")
provider.cache = JSONFileCache(os.path.expanduser("~/.aws/cli/cache"))
print(boto3.Session(botocore_session=inner).client("sts").get_caller_identity()["Arn"])
"""


@pytest.mark.parametrize("writer", ["rolecall", "boto3"])
def test_boto3_that_is_told_to_share_the_cache(kit_home, kit, writer):
    programs = {
        "rolecall": lambda: identity(kit_home, "rolecall", "final")["Arn"],
        "boto3": lambda: kit_home.python(BOTO3_WITH_SHARED_CACHE, "final").strip(),
    }
    reader = "boto3" if writer == "rolecall" else "rolecall"
    assert programs[writer]() == programs[reader]()
    assert kit.count("AssumeRole") == 3
