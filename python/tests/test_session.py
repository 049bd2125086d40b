"""Sessions and credentials."""

import asyncio
import copy
import datetime
import json
import pickle
import subprocess
import traceback

import pytest

import programs
import rolecall


def test_the_wheel_alone_gives_credentials_of_a_role(kit_home, kit, run):
    said = run("import rolecall\n"
               "credentials = rolecall.Session(profile='hop').credentials()\n"
               "print(credentials.access_key_id, credentials.account_id)",
               AWS_ENDPOINT_URL_STS=kit.url)
    key, account = said.split()
    assert key.startswith("ASIA") and account == kit.roles["Hop"].split(":")[4]


def test_credentials_are_kept_in_memory(kit_home, kit):
    session = rolecall.Session(profile="hop", disk_cache=False)
    before = kit.count("AssumeRole")
    first = session.credentials()
    assert all(session.credentials() == first for _ in range(100))
    assert kit.count("AssumeRole") == before + 1
    assert first.expiration.utcoffset() == datetime.timedelta(0)
    assert first.expiration > datetime.datetime.now(datetime.timezone.utc)
    assert first.session_token and first.secret_access_key


def test_asyncio_gets_them_too(kit_home):
    async def both():
        session = rolecall.Session(profile="hop", disk_cache=False)
        return await asyncio.gather(*[session.credentials_async() for _ in range(20)])

    found = asyncio.run(both())
    assert len({credentials.access_key_id for credentials in found}) == 1


def test_nothing_shows_or_pickles_a_secret(kit_home):
    session = rolecall.Session(profile="hop")
    credentials = session.credentials()
    secrets = [credentials.secret_access_key, credentials.session_token]
    shown = [repr(credentials), str(credentials), repr(session), f"{credentials!r:>5}",
             str(vars(rolecall))]
    for thing in [credentials, session]:
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(thing, protocol)
    try:
        raise ValueError(credentials)
    except ValueError as error:
        trace = traceback.TracebackException.from_exception(error, capture_locals=True)
        # The list of secrets is a local variable of this test.
        shown += [line for line in trace.format() if "secrets = " not in line]
    for text in shown:
        assert not any(secret in text for secret in secrets)
    assert copy.copy(credentials) is credentials is copy.deepcopy(credentials)
    with pytest.raises(AttributeError):
        credentials.secret_access_key = "other"


def test_errors_say_kind_place_and_help(home):
    with pytest.raises(rolecall.InvalidConfigurationError) as raised:
        rolecall.Session(profile="nowhere")
    error = raised.value
    assert isinstance(error, rolecall.RolecallError)
    assert error.kind == "InvalidConfiguration" and error.exit_code == 4
    assert "nowhere" in str(error) and error.message in str(error)
    assert error.provider


def test_they_are_handed_to_other_programs(kit_home):
    session = rolecall.Session(profile="hop")
    credentials = session.credentials()
    assert json.loads(credentials.export("process"))["SessionToken"] == credentials.session_token
    assert f"export AWS_ACCESS_KEY_ID={credentials.access_key_id}\n" in credentials.export("env")
    with pytest.raises(rolecall.InvalidConfigurationError, match="unknown format"):
        credentials.export("xml")
    with pytest.raises(rolecall.InvalidConfigurationError, match="cmd.exe"):
        rolecall.Credentials("AKID", 'a"b').export("windows-cmd")
    changes = credentials.environment(region="eu-west-1")
    assert changes["AWS_SECRET_ACCESS_KEY"] == credentials.secret_access_key
    assert changes["AWS_PROFILE"] is None and changes["AWS_REGION"] == "eu-west-1"
    env = {**kit_home.env, "AWS_PROFILE": "nowhere", **changes}
    said = subprocess.run(
        [programs.ROLECALL, "sts", "get-caller-identity", "--json"], capture_output=True, text=True,
        env={name: value for name, value in env.items() if value is not None}, timeout=60)
    assert ":assumed-role/Hop/" in said.stdout, said.stderr


def test_the_shared_cache_is_listed_and_cleared(kit_home):
    assert rolecall.cached_credentials() == []
    credentials = rolecall.Session(profile="hop").credentials()
    [found] = rolecall.cached_credentials()
    assert found.access_key_id == credentials.access_key_id and found.about.endswith("role/Hop")
    assert found.expires_at == credentials.expiration.replace(microsecond=0)
    assert credentials.secret_access_key not in repr(found)
    assert rolecall.clear_cached_credentials() == 1 and rolecall.cached_credentials() == []


def test_settings_and_credentials_are_written_to_the_profile_files(kit_home):
    assert rolecall.configure.get("region", profile="user") is None
    settings = {"region": "eu-west-1", "s3.addressing_style": "path"}
    assert rolecall.configure.set(settings, profile="user") == []
    assert rolecall.configure.get("region", profile="user") == "eu-west-1"
    assert rolecall.configure.get("s3", profile="user") == {}
    with pytest.raises(rolecall.InvalidConfigurationError, match="no such profile"):
        rolecall.configure.get("region", profile="nowhere")
    written = rolecall.configure.write_credentials("out", "hop", disk_cache=False)
    assert rolecall.Session("out").credentials().access_key_id == written.access_key_id
    rolecall.configure.set({"aws_access_key_id": "AKID", "aws_secret_access_key": "s"}, profile="own")
    with pytest.raises(rolecall.InvalidConfigurationError):
        rolecall.configure.write_credentials("own", "own")


def test_the_region_is_known(kit_home):
    assert rolecall.Session(profile="user").region == "us-east-1"
    assert rolecall.Session(profile="user", region="eu-west-1").region == "eu-west-1"
