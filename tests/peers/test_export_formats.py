"""`rolecall export` prints what `aws configure export-credentials` of AWS CLI v2 prints."""

import pytest

from programs import AWS

PROCESS = {"AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCY="}
SESSION = {**PROCESS, "SessionToken": "IQoJb3JpZ2luX2VjEBEaCXVz/+LWVhc3QtMSJHMEUCIQ=="}
ENDING = {**SESSION, "Expiration": "2099-01-02T03:04:05Z"}
SOURCES = {
    "static": None,
    "process": PROCESS,
    "process-with-token": SESSION,
    "process-that-ends": ENDING,
    "process-with-offset": {**ENDING, "Expiration": "2099-01-02T03:04:05+00:00"},
    "process-with-account": {**ENDING, "AccountId": "123456789012"},
}
# Debian's AWS CLI has no fish yet.
FORMATS = ["process", "env", "env-no-export", "powershell", "windows-cmd"]


@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.parametrize("source", SOURCES)
def test_byte_for_byte(home, source, style):
    if SOURCES[source] is None:
        home.static_profile(source, "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCY=")
    else:
        home.process_profile(source, SOURCES[source])
    theirs = home.run(AWS["v2"], "configure", "export-credentials", "--profile", source,
                      "--format", style)
    assert home.rolecall("export", "--profile", source, "--format", style) == theirs


def test_the_default_format_is_process(home):
    home.process_profile("x", ENDING)
    theirs = home.run(AWS["v2"], "configure", "export-credentials", "--profile", "x")
    assert home.rolecall("export", "--profile", "x") == theirs
    assert home.rolecall("credential-process", "--profile", "x") == theirs


def test_fish_as_later_versions_of_aws_cli_print_it(home):
    home.process_profile("x", ENDING)
    assert home.rolecall("export", "--profile", "x", "--format", "fish") == (
        "set -gx AWS_ACCESS_KEY_ID ASIAEXAMPLE\n"
        "set -gx AWS_SECRET_ACCESS_KEY wJalrXUtnFEMI/K7MDENG+bPxRfiCY=\n"
        "set -gx AWS_SESSION_TOKEN IQoJb3JpZ2luX2VjEBEaCXVz/+LWVhc3QtMSJHMEUCIQ==\n"
        "set -gx AWS_CREDENTIAL_EXPIRATION 2099-01-02T03:04:05+00:00\n")


def test_a_role_that_both_have_in_their_cache(kit_home):
    ours = kit_home.rolecall("export", "--profile", "final")
    theirs = kit_home.run(AWS["v2"], "configure", "export-credentials", "--profile", "final")
    assert ours == theirs
