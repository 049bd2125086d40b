"""Explanations, diagnoses and profiles as data; and the one table of errors."""

import asyncio
import json

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


def test_each_kind_of_error_is_an_exception_with_its_exit_code():
    kinds = {}
    for name in dir(rolecall):
        thing = getattr(rolecall, name)
        if isinstance(thing, type) and issubclass(thing, rolecall.RolecallError):
            if thing is not rolecall.RolecallError:
                assert name == f"{thing.kind}Error" and thing.__doc__
                kinds[thing.kind] = thing.exit_code
    # The design's table.
    assert kinds == {"NotConfigured": 3, "InvalidConfiguration": 4, "Denied": 5, "Unavailable": 6,
                     "TimedOut": 6, "Malformed": 7, "Internal": 1}
