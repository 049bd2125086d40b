"""`rolecall exec`: the command takes the process over, with these credentials and no others."""

import signal
import subprocess

import pytest

from programs import ROLECALL, TIME_OUT

STALE = {
    "AWS_ACCESS_KEY_ID": "AKIASTALE",
    "AWS_SECRET_ACCESS_KEY": "stale",
    "AWS_SESSION_TOKEN": "stale",
    "AWS_SECURITY_TOKEN": "stale",
    "AWS_CREDENTIAL_EXPIRATION": "2000-01-01T00:00:00Z",
    "AWS_ACCOUNT_ID": "999999999999",
    "AWS_PROFILE": "stale",
    "AWS_DEFAULT_PROFILE": "stale",
    "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/Stale",
    "AWS_ROLE_SESSION_NAME": "stale",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/stale",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/stale",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/stale",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "stale",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/stale",
}
KEPT = {"AWS_CA_BUNDLE_X": "kept", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000", "OTHER": "kept"}


@pytest.fixture
def profile(home):
    home.static_profile("user", "AKIDEXAMPLE", "secret")
    return home


def environment(home, *arguments, env=None):
    shown = home.rolecall("exec", *arguments, "--", "env", "-0", env=env)
    return dict(line.split("=", 1) for line in shown.split("\0") if line)


def start(home, *command):
    return subprocess.Popen([ROLECALL, "exec", "--profile", "user", "--", *command], env=home.env,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_the_command_takes_the_process_over(profile):
    process = start(profile, "bash", "-c", "echo $$")
    said, _ = process.communicate(timeout=TIME_OUT)
    assert int(said) == process.pid and process.returncode == 0


def test_standard_input_and_arguments_are_the_commands(profile):
    arguments = ["", "a b", "--profile", "x", "-h", "--", "$HOME", "é\n"]
    process = start(profile, "bash", "-c", 'cat; printf "%s\\0" "$@"', "bash", *arguments)
    said, _ = process.communicate("typed\n", timeout=TIME_OUT)
    assert said == "typed\n" + "".join(argument + "\0" for argument in arguments)


@pytest.mark.parametrize("code", [0, 1, 2, 5, 255])
def test_the_exit_code_is_the_commands(profile, code):
    process = start(profile, "bash", "-c", f"exit {code}")
    process.communicate(timeout=TIME_OUT)
    assert process.returncode == code


def test_a_signal_ends_the_command_itself(profile):
    process = start(profile, "bash", "-c", "echo ready; read -r")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    process.wait(TIME_OUT)
    process.stdin.close()
    process.stdout.close()
    assert process.returncode == -signal.SIGTERM


def test_nothing_stale_is_left(profile):
    seen = environment(profile, "--profile", "user", env={**STALE, **KEPT})
    assert seen["AWS_ACCESS_KEY_ID"] == "AKIDEXAMPLE"
    assert seen["AWS_SECRET_ACCESS_KEY"] == "secret"
    assert [name for name in STALE if name in seen] == [
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert {name: seen[name] for name in KEPT} == KEPT


def test_a_session_brings_its_token_end_and_account(home):
    home.process_profile("session", {
        "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "secret", "SessionToken": "token",
        "Expiration": "2099-01-02T03:04:05Z", "AccountId": "123456789012"})
    seen = environment(home, "--profile", "session", env=STALE)
    assert seen["AWS_SESSION_TOKEN"] == "token"
    assert seen["AWS_CREDENTIAL_EXPIRATION"] == "2099-01-02T03:04:05+00:00"
    assert seen["AWS_ACCOUNT_ID"] == "123456789012"
    assert "AWS_PROFILE" not in seen


def test_the_region_is_the_profiles_unless_another_is_given(home):
    home.config("[profile there]\naws_access_key_id = AKIDEXAMPLE\n"
                "aws_secret_access_key = secret\nregion = eu-west-1")
    del home.env["AWS_DEFAULT_REGION"]
    regions = [([], {}, "eu-west-1"),
               ([], {"AWS_REGION": "ap-south-1"}, "ap-south-1"),
               (["--region", "sa-east-1"], {"AWS_REGION": "ap-south-1"}, "sa-east-1")]
    for arguments, variables, expected in regions:
        seen = environment(home, "--profile", "there", *arguments, env=variables)
        assert (seen["AWS_REGION"], seen["AWS_DEFAULT_REGION"]) == (expected, expected)


def test_a_command_that_is_not_there_is_named(profile):
    process = subprocess.run([ROLECALL, "exec", "--profile", "user", "--", "no-such-command"],
                             env=profile.env, capture_output=True, text=True, timeout=TIME_OUT)
    assert process.returncode not in (0, None) and "no-such-command" in process.stderr
    assert process.stdout == ""


def test_without_credentials_the_command_does_not_run(home):
    home.config("[profile empty]\nregion = eu-west-1")
    error = home.rolecall("exec", "--profile", "empty", "--", "touch", "ran", expect=3)
    assert "empty" in error and not (home.path / "ran").exists()
