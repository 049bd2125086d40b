"""`rolecall configure` writes and reads what `aws configure` does, byte for byte, and what it and
`rolecall update` write is read by AWS CLI, boto3 and the AWS SDK for JavaScript."""

import fcntl
import json
import os
import pty
import select
import subprocess
import termios

import pytest

from programs import AWS, NODE, NODE_MODULES, ROLECALL, ROOT, TIME_OUT, Home

FILES = ["config", "credentials"]
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
EXISTING = {
    "config": "# mine\n[default]\nregion = eu-west-1\n\n[profile dev]\noutput=text\ns3 =\n"
              "    addressing_style = path\nregion = eu-west-1\n# after\n[profile last]\nca_bundle = /x",
    "credentials": "[default]\naws_access_key_id = AKIAOLD\naws_secret_access_key = old-WXYZ\n"
                   "[dev]\naws_secret_access_key=old\n",
}
# Names and values for `configure set`, one after the other.
SETTINGS = [
    ("region", "eu-central-1"),
    ("output", ""),
    ("default.region", "eu-north-1"),
    ("aws_access_key_id", KEY),
    ("profile.dev.aws_secret_access_key", SECRET),
    ("profile.dev.region", "eu-south-1"),
    ("profile.dev.s3.addressing_style", "virtual"),
    ("profile.dev.s3.max_queue_size", "9"),
    ("profile.new.role_arn", "arn:aws:iam::123456789012:role/R"),
    ("s3.max_concurrent_requests", "20"),
    ("s3.max_concurrent_requests", "30"),
    ("profile.new.s3.max_bandwidth", "1MB/s"),
    ("profile.new.s3.max_queue_size", "9"),
    ("cli_pager", "less -R = x"),
]


@pytest.fixture
def homes(tmp_path):
    """Homes with the same files: AWS CLI's and ours."""
    def make(files=None):
        both = []
        for name in ["theirs", "ours"]:
            home = Home(tmp_path / name)
            del home.env["AWS_DEFAULT_REGION"]
            for file, text in (files or {}).items():
                (home.aws_folder / file).write_text(text)
            both.append(home)
        return both
    return make


def files_of(home):
    return {name: (home.aws_folder / name).read_bytes() if (home.aws_folder / name).exists()
            else None for name in FILES}


def converse(home, command, answers):
    """Runs a program on a terminal, answers its questions, and gives them."""
    person, program = pty.openpty()

    def own_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(command, stdin=program, stdout=program, stderr=program,
                               env=home.env, cwd=home.path, preexec_fn=own_terminal)
    os.close(program)
    questions, seen = [], b""
    left = list(answers)
    while True:
        readable, _, _ = select.select([person], [], [], TIME_OUT)
        assert readable, f"{command[0]} waits: {seen}"
        try:
            seen += os.read(person, 4096)
        except OSError:  # The program has ended.
            break
        if seen.endswith(b"]: "):
            questions.append(seen.decode().splitlines()[-1])
            os.write(person, left.pop(0).encode() + b"\n")
            seen = b""
    os.close(person)
    assert process.wait(TIME_OUT) == 0, f"{command[0]}: {questions} {seen}"
    assert not left, f"{command[0]} asked only {questions}"
    return questions


@pytest.mark.parametrize("version", AWS)
@pytest.mark.parametrize("profile", [None, "dev", "new"])
@pytest.mark.parametrize("files", [None, EXISTING], ids=["no files", "files"])
@pytest.mark.parametrize("answers", [
    [KEY, SECRET, "us-west-2", "json"],
    [KEY, SECRET, "", ""],
    ["", "", "us-west-2", ""],
    ["", "", "eu-west-1", "text"],
    ["", "", "", ""],
], ids=["all", "keys", "region", "the same", "nothing"])
def test_questions_and_files(homes, version, profile, files, answers):
    theirs, ours = homes(files)
    arguments = ["configure"] + (["--profile", profile] if profile else [])
    asked = converse(theirs, [AWS[version], *arguments], answers)
    assert converse(ours, [ROLECALL, *arguments], answers) == asked
    assert files_of(ours) == files_of(theirs)


@pytest.mark.parametrize("version", AWS)
@pytest.mark.parametrize("files", [None, EXISTING], ids=["no files", "files"])
def test_set(homes, version, files):
    theirs, ours = homes(files)
    for name, value in SETTINGS:
        theirs.run(AWS[version], "configure", "set", name, value)
        ours.rolecall("configure", "set", name, value)
        assert files_of(ours) == files_of(theirs), f"after {name}"
    theirs.run(AWS[version], "configure", "set", "region", "x", "--profile", "dev")
    ours.rolecall("configure", "set", "region", "x", "--profile", "dev")
    assert files_of(ours) == files_of(theirs)


@pytest.mark.parametrize("version", AWS)
@pytest.mark.parametrize("text, name, theirs_after, ours_after", [
    # AWS CLI makes other ends of all lines,
    (b"[default]\r\nregion = a\r\n", "region",
     b"[default]\nregion = v\n", b"[default]\r\nregion = v\r\n"),
    # adds one at the end,
    (b"[default]\nregion = a", "region", b"[default]\nregion = v\n", b"[default]\nregion = v"),
    # goes below blank lines,
    (b"[default]\nregion = a\n\n", "output",
     b"[default]\nregion = a\n\noutput = v\n", b"[default]\nregion = a\noutput = v\n\n"),
    # takes comments away,
    (b"[default]\nregion = a # home\n", "region",
     b"[default]\nregion = v\n", b"[default]\nregion = v # home\n"),
    # and takes a setting inside another for one of the profile.
    (b"[default]\ns3 =\n    region = a\n", "region", b"[default]\ns3 =\nregion = v\n",
     b"[default]\ns3 =\n    region = a\nregion = v\n"),
])
def test_where_the_two_differ(homes, version, text, name, theirs_after, ours_after):
    theirs, ours = homes()
    for home in [theirs, ours]:
        (home.aws_folder / "config").write_bytes(text)
    theirs.run(AWS[version], "configure", "set", name, "v")
    ours.rolecall("configure", "set", name, "v")
    assert files_of(theirs)["config"] == theirs_after
    assert files_of(ours)["config"] == ours_after


@pytest.mark.parametrize("version", AWS)
def test_get(homes, version):
    home, _ = homes(EXISTING)
    for arguments in [
        ["region"], ["output"], ["nothing"], ["REGION"], ["aws_access_key_id"],
        ["default.region"], ["dev.region"], ["profile.dev.region"], ["profile.dev.nothing"],
        ["profile.nobody.region"], ["dev.s3.addressing_style"], ["profile.dev.s3.addressing_style"],
        ["s3.addressing_style"], ["s3.addressing_style", "--profile", "dev"],
        ["profile.dev.s3.nothing"], ["profile.dev.s3"], ["s3", "--profile", "dev"],
        ["aws_secret_access_key", "--profile", "dev"], ["last.ca_bundle"],
    ]:
        theirs, ours = [
            subprocess.run([program, "configure", "get", *arguments], env=home.env, cwd=home.path,
                           capture_output=True, timeout=TIME_OUT)
            for program in [AWS[version], ROLECALL]]
        assert (ours.stdout, ours.returncode) == (theirs.stdout, theirs.returncode), arguments


def test_list_profiles(homes):
    home, _ = homes({**EXISTING, "credentials": EXISTING["credentials"] + "[only-keys]\n"})
    theirs = home.run(AWS["v2"], "configure", "list-profiles")
    assert home.rolecall("configure", "list-profiles") == theirs
    # Newer versions of AWS CLI fail for it too, each with a code of its own.
    home.rolecall("configure", "get", "region", "--profile", "nobody", expect=4)


WHO = """
import boto3, json, sys
session = boto3.Session(profile_name=sys.argv[1])
sts = session.client("sts", endpoint_url=sys.argv[2])
print(json.dumps([sts.get_caller_identity()["Arn"], session.region_name]))
"""


def assert_read_by_all(home, profile, role, region):
    """Every reader gets these credentials and this region out of the files."""
    for version in AWS:
        arn = home.aws_identity(version, "--profile", profile)["Arn"]
        assert role in arn
        assert home.run(AWS[version], "configure", "get", "region", "--profile", profile) == (
            f"{region}\n")
    arn, found = json.loads(home.python(WHO, profile, home.sts_url))
    assert role in arn and found == region
    # The SDK for JavaScript reads the region out of the config file alone.
    script = str(ROOT / "tests/peers/node/identity.cjs")
    found = json.loads(home.run(NODE, script, home.sts_url, "--region-of-profile",
                                env={"AWS_PROFILE": profile, "NODE_PATH": NODE_MODULES}))
    assert role in found["Arn"] and found["Region"] == region


@pytest.mark.parametrize("profile", ["default", "team/dev@x.y"])
def test_what_configure_wrote_is_read(kit_home, kit, profile):
    del kit_home.env["AWS_DEFAULT_REGION"]
    kit_home.rolecall("configure", "--profile", profile, "--set", f"aws_access_key_id={kit.key}",
                      "--set", "aws_secret_access_key=env:KIT_SECRET", "--set", "region=eu-west-1",
                      "--set", "s3.addressing_style=path", env={"KIT_SECRET": kit.secret})
    assert_read_by_all(kit_home, profile, ":user/", "eu-west-1")


def test_what_the_questions_wrote_is_read(kit_home, kit):
    del kit_home.env["AWS_DEFAULT_REGION"]
    keys = json.loads(kit_home.rolecall("export", "--profile", "deploy"))
    converse(kit_home, [ROLECALL, "configure", "--profile", "temporary"],
             [keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], "eu-west-1", ""])
    assert_read_by_all(kit_home, "temporary", ":assumed-role/Deploy/", "eu-west-1")


def test_what_update_wrote_is_read(kit_home):
    kit_home.rolecall("update", "--from", "deploy", "--profile", "copy", "--once")
    kit_home.rolecall("configure", "set", "profile.copy.region", "eu-west-1")
    del kit_home.env["AWS_DEFAULT_REGION"]
    assert_read_by_all(kit_home, "copy", ":assumed-role/Deploy/", "eu-west-1")
    # A second time it replaces them, and nothing else.
    text = (kit_home.aws_folder / "credentials").read_text()
    kit_home.rolecall("update", "--from", "hop", "--profile", "copy", "--once")
    after = (kit_home.aws_folder / "credentials").read_text()
    assert len(after.splitlines()) == len(text.splitlines()) and after != text
    assert_read_by_all(kit_home, "copy", ":assumed-role/Hop/", "eu-west-1")
