"""Every format for a shell, read back by the real shell: values come through whatever they hold."""

import pytest

from programs import ROLECALL

ODD = {
    "plain": "abc/DEF+123=",
    "quote": "it's",
    "quotes": "''\"'\"'\"",
    "double-quote": 'say "x"',
    "dollar": "$HOME ${HOME} $(id) $1",
    "backtick": "`id`",
    "backslash": "a\\b\\\\c\\n\\'\\\"",
    "backslash-at-the-end": "a\\",
    "space": " leading  and trailing ",
    "tab": "a\tb",
    "newline": "first\nsecond\n",
    "carriage-return": "a\r\nb",
    "non-ascii": "ключ–日本–é–🔑",
    "glob": "*?[a-z]{a,b}~",
    "tilde": "~root",
    "history": "a!b!!",
    "operators": "a;b&c|d<e>f(g)#h",
    "comment": "#not a comment",
    "option": "-n",
    "percent": "%PATH% %s %d",
    "equals": "=a=b",
    "typographic": "‘a’ ‚b‛ “c”",
    "control": "a\x01b\x7f",
}

# Evaluates what the program prints, and shows the variables as a child of the shell sees them.
SHELLS = {
    "bash env": ["bash", "-euc", 'eval "$("$0" export --profile odd --format env)"; env -0'],
    "dash env": ["dash", "-euc", 'eval "$("$0" export --profile odd --format env)"; env -0'],
    "bash env-no-export": [
        "bash", "-euc",
        'set -a; eval "$("$0" export --profile odd --format env-no-export)"; env -0'],
    "fish": ["fish", "--no-config", "-c", "$argv[1] export --profile odd --format fish | source; "
             "and env -0"],
    "fish eval": ["fish", "--no-config", "-c",
                  "eval ($argv[1] export --profile odd --format fish | string collect); "
                  "and env -0"],
}


@pytest.mark.parametrize("secret", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS.keys())
def test_round_trip(home, shell, secret):
    home.process_profile("odd", {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": secret,
                                 "SessionToken": secret[::-1],
                                 "Expiration": "2099-01-02T03:04:05Z"})
    shown = home.run(*shell, ROLECALL, text=False).decode()
    variables = dict(line.split("=", 1) for line in shown.split("\0") if line)
    assert variables["AWS_ACCESS_KEY_ID"] == "AKIDEXAMPLE"
    assert variables["AWS_SECRET_ACCESS_KEY"] == secret
    assert variables["AWS_SESSION_TOKEN"] == secret[::-1]
    assert variables["AWS_CREDENTIAL_EXPIRATION"] == "2099-01-02T03:04:05+00:00"


@pytest.mark.parametrize("secret", ODD.values(), ids=ODD.keys())
def test_exec_passes_any_text(home, secret):
    home.process_profile("odd", {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": secret})
    shown = home.rolecall("exec", "--profile", "odd", "--", "env", "-0", text=False).decode()
    assert f"AWS_SECRET_ACCESS_KEY={secret}" in shown.split("\0")


@pytest.mark.parametrize("secret", ['a"b', "a%b", "a!b", "a\nb", "a\rb"])
def test_what_cmd_exe_cannot_express_is_an_error(home, secret):
    home.process_profile("odd", {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": secret})
    error = home.rolecall("export", "--profile", "odd", "--format", "windows-cmd", expect=4)
    assert "cmd.exe" in error and secret not in error
