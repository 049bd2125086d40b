"""Explanations, diagnoses and profiles as data; and the one table of errors."""

import asyncio
import json
import re

import pytest

import programs
import rolecall


def test_explain_and_profiles_are_those_of_the_program(kit_home):
    theirs = kit_home.rolecall_json("explain", "--profile", "hop", "--json")
    assert rolecall.explain("hop") == theirs
    assert theirs["source"]["kind"] == "static" and len(theirs["hops"]) == 1
    assert rolecall.profiles() == kit_home.rolecall_json("profiles", "--json")
    secret = kit_home.aws_folder.joinpath("config").read_text().split("secret_access_key = ")[1]
    assert secret.split()[0] not in json.dumps([rolecall.profiles(), rolecall.explain("hop")])


def test_problems_are_data_not_errors(home):
    found = rolecall.explain("nowhere")
    assert found["problems"][0]["kind"] == "InvalidConfiguration"


def test_what_a_session_takes_they_take(home, kit):
    keys = rolecall.Credentials("AKID", "hunter2")
    certificate = rolecall.RolesAnywhere(
        trust_anchor_arn=kit.about["trust_anchor_arn"], profile_arn=kit.about["profile_arn"],
        role_arn=kit.roles["Workload"], certificate="/nowhere.pem")
    given = rolecall.explain(provider=lambda: keys, region="us-east-1")
    assert given["problems"] == [] and given["source"]["kind"] == "given"
    found = rolecall.explain(roles_anywhere=certificate)
    assert found["source"]["kind"] == "roles-anywhere" and "/nowhere.pem" in str(found["problems"])
    doctored = rolecall.doctor(roles_anywhere=certificate, mfa_code="123456", region="us-east-1")
    assert "/nowhere.pem" in json.dumps(doctored) and "hunter2" not in json.dumps([given, doctored])
    for call in [rolecall.explain, rolecall.doctor]:
        with pytest.raises(TypeError, match="provider"):
            call(provider=7)


def test_doctor_finds_what_is_wrong(home, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    home.static_profile("default", "AKIAIOSFODNN7EXAMPLE", "hunter2")
    found = rolecall.doctor()
    assert found["errors"] >= 1 and "hunter2" not in json.dumps(found)
    assert {"severity", "check", "what", "fix"} <= set(found["findings"][0])

    async def later():
        return await rolecall.doctor_async()

    assert asyncio.run(later())["errors"] == found["errors"]


def test_the_package_says_its_version(home):
    assert rolecall.__version__ in home.run(programs.ROLECALL, "--version")


def kinds():
    """The kinds of the Rust library, in order."""
    source = (programs.ROOT / "core" / "src" / "error.rs").read_text()
    listed = re.search(r"pub const ALL: \[Self; (\d+)\] = \[(.*?)\];", source, re.DOTALL)
    names = re.findall(r"Self::(\w+)", listed[2])
    assert len(names) == int(listed[1])
    return names


def test_the_one_table_of_errors_is_the_same_in_rust_c_python_and_as_exit_codes(home):
    header = (programs.ROOT / "ffi" / "include" / "rolecall.h").read_text()
    codes = {name: int(code)
             for name, code in re.findall(r"^#define ROLECALL_(\w+) (\d+)$", header, re.MULTILINE)}
    help_ = " ".join(home.rolecall("--help").split("Exit codes:")[1].split())
    classes = {thing for thing in vars(rolecall).values()
               if isinstance(thing, type) and issubclass(thing, rolecall.RolecallError)}
    for number, kind in enumerate(kinds(), start=1):
        assert codes.pop(re.sub(r"(?<!^)(?=[A-Z])", "_", kind).upper()) == number
        raised = getattr(rolecall, f"{kind}Error")
        classes.remove(raised)
        assert raised.__bases__ == (rolecall.RolecallError,) and raised.__doc__
        assert raised.__module__ == "rolecall" and raised.kind == kind
        # The design's table, in the words of the program's help.
        words = {"NotConfigured": "3 nothing configured", "InvalidConfiguration": "4 wrong config",
                 "Denied": "5 denied", "Unavailable": "6 not reachable", "TimedOut": "6 not reach",
                 "Malformed": "7 an answer", "Internal": "1 anything else"}[kind]
        assert words in help_ and words.startswith(f"{raised.exit_code} ")

        # Through Rust and back it is what it was.
        def fail(raised=raised):
            raise raised("broken")
        with pytest.raises(rolecall.RolecallError, match="broken") as back:
            rolecall.Session(provider=fail).credentials()
        assert type(back.value) is raised and back.value.__cause__.__class__ is raised
    assert codes == {"API_VERSION": codes["API_VERSION"], "OK": 0,
                     "INVALID_ARGUMENT": len(kinds()) + 1}
    assert classes == {rolecall.RolecallError}
    assert rolecall.RolecallError.kind is rolecall.RolecallError.exit_code is None
    assert rolecall.RolecallError.causes == () and rolecall.RolecallError.partial is None


def test_the_program_ends_with_the_code_of_the_exception(kit_home, kit):
    faults = {"Malformed": {"kind": "raw", "status": 200, "body": "<html>"},
              "Denied": {"kind": "fail", "status": 403, "code": "AccessDenied"},
              "NotConfigured": None, "InvalidConfiguration": None}
    profiles = {"NotConfigured": [], "InvalidConfiguration": ["nowhere"]}
    for kind, fault in faults.items():
        profile = profiles.get(kind, ["hop"])
        if fault:
            kit.post("chaos", operation="AssumeRole", count=None, fault=fault)
        with pytest.raises(rolecall.RolecallError) as raised:
            rolecall.Session(*profile, disk_cache=False).credentials()
        done = kit_home.run_anyhow(
            programs.ROLECALL, "export", "--no-cache", "--error-format", "json",
            *(["--profile", *profile] if profile else []))
        kit.post("chaos", clear=True)
        assert raised.value.kind == json.loads(done.stderr)["error"]["kind"] == kind
        assert raised.value.exit_code == done.returncode
