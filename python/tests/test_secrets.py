"""Dynamic secrets and leases, against the kit's IAM."""

import asyncio
import contextlib
import copy
import datetime
import json
import pickle
import socket
import sqlite3
import sys
import threading
import time
import urllib.error
import urllib.request
import warnings
from pathlib import Path

import pytest

import rolecall
from rolecall.secrets import SecretStore

ACCOUNT = "111111111111"


@pytest.fixture
def place(kit_home):
    return str(kit_home.path / "leases.db")


@pytest.fixture
def store(place):
    store = SecretStore(place)
    store.define("app", "iam-user", connection="profile:admin", default_ttl="1h", max_ttl=86400,
                 policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"], tags={"team": "blue"})
    return store


def users(kit):
    return [user["name"] for user in kit.get(f"iam/users/{ACCOUNT}") if "rolecall" in user["path"]]


def test_a_lease_lives_and_ends(store, kit):
    lease = store.lease("app", ttl=datetime.timedelta(minutes=10), identity="ci", note="a test",
                        wait=False)
    assert lease.state == "active" and lease.kind == "iam-user"
    assert users(kit) == [lease.name]
    keys = rolecall.Session(provider=lambda: lease.credentials)
    assert keys.sts().get_caller_identity().arn.endswith(lease.name)
    lasts = lease.expires_at - lease.created_at
    assert abs(lasts - datetime.timedelta(minutes=10)) < datetime.timedelta(seconds=2)
    assert lease.credentials.secret_access_key not in repr(lease) + str(lease.to_dict())
    with pytest.raises(TypeError):
        pickle.dumps(lease)

    longer = lease.renew("2h")
    assert longer.expires_at > lease.expires_at
    assert longer.credentials.expiration == longer.expires_at
    assert longer.credentials.access_key_id == lease.credentials.access_key_id
    assert store.find(lease.id).credentials is None
    assert [found.id for found in store.leases(secret="app", states=["active"])] == [lease.id]
    assert lease.revoke().state == "revoked"
    assert users(kit) == [] and store.leases(states=["active"]) == []
    assert [line["action"] for line in store.trail(lease.id)][-1] == "revoke"
    with pytest.raises(rolecall.InvalidConfigurationError, match="already"):
        lease.revoke()


def test_a_block_takes_it_back(store, kit):
    with pytest.raises(ZeroDivisionError):
        with store.lease("app", wait=False) as lease:
            assert users(kit) == [lease.name]
            1 / 0
    assert users(kit) == [] and lease.refresh().state == "revoked"

    async def later():
        async with await store.lease_async("app", wait=False) as lease:
            assert users(kit) == [lease.name]
        return await lease.refresh_async()

    assert asyncio.run(later()).state == "revoked"
    assert users(kit) == []


DENIED = {"kind": "fail", "status": 403, "code": "AccessDenied"}


def test_a_block_ends_what_is_not_over_and_can_be_taken_back(store, kit):
    with store.lease("app", wait=False) as lease:
        lease.revoke()
    store.define("role", "assumed-role", connection="profile:user", role_arn=kit.roles["Hop"])
    with store.lease("role") as session:
        pass
    assert session.refresh().state == "active"

    async def later():
        async with await store.lease_async("app", wait=False) as lease:
            await lease.revoke_async()
        async with await store.lease_async("role"):
            pass

    asyncio.run(later())


def test_a_block_keeps_what_it_raised(store, kit):
    async def later():
        async with await store.lease_async("app", wait=False):
            1 / 0

    def block():
        with store.lease("app", wait=False):
            1 / 0

    kit.post("chaos", operation="DeleteUser", count=None, fault=DENIED)
    for how in [block, lambda: asyncio.run(later())]:
        with pytest.warns(RuntimeWarning, match="is not taken back.*DeleteUser"):
            with pytest.raises(ZeroDivisionError) as raised:
                how()
        if sys.version_info >= (3, 11):
            assert "is not taken back" in raised.value.__notes__[0]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ZeroDivisionError):
                how()
    # With nothing else to tell, this is.
    with pytest.raises(rolecall.UnavailableError, match="DeleteUser"):
        with store.lease("app", wait=False) as lease:
            pass
    assert lease.refresh().state == "revoking"


def test_conflicts_have_their_kinds(store, kit):
    lease = store.lease("app", wait=False)
    with pytest.raises(rolecall.DeniedError, match="leases of it run"):
        store.undefine("app")
    version = store.definition("app")["version"]
    store.redefine("app", version=version, description="first")
    with pytest.raises(rolecall.UnavailableError, match="changed meanwhile"):
        store.redefine("app", version=version, description="second")
    assert store.definition("app")["description"] == "first"

    kit.post("chaos", operation="iam:*", fault={"kind": "hold", "gate": "renewal"})
    renewal = threading.Thread(target=lease.renew, daemon=True)
    renewal.start()
    until = time.monotonic() + 30
    while not store.find(lease.id).to_dict()["claimed_by"]:
        assert time.monotonic() < until
    for change in [lease.renew, lease.forget]:
        with pytest.raises(rolecall.UnavailableError, match="somebody else"):
            change()
    kit.post("open", gate="renewal")
    renewal.join(30)
    lease.revoke()
    with pytest.raises(rolecall.InvalidConfigurationError, match="cannot be renewed"):
        lease.renew()
    with pytest.raises(rolecall.DeniedError, match="is revoked"):
        lease.forget()


def test_leases_are_found_by_whom_they_are_for_and_when_they_end(store):
    short = store.lease("app", ttl="10m", identity="ci", wait=False)
    long = store.lease("app", ttl="2h", identity="me", wait=False)
    found = lambda **how: [lease.id for lease in store.leases(**how)]
    assert found(identity="ci") == found(expires_within="15m") == [short.id]
    assert found(expires_within=datetime.timedelta(hours=3)) == [short.id, long.id]
    assert found(identity="nobody") == found(expires_within=1) == []
    assert store.revoke_all("app") == {"revoked": 2, "failures": []}


def test_all_leases_of_a_definition_are_taken_back_or_told(store, kit):
    leases = [store.lease("app", wait=False) for _ in range(3)]
    kit.post("chaos", operation="DeleteUser", count=1, fault=DENIED)
    told = asyncio.run(wait_for(lambda: store.revoke_all_async("app")))
    assert told["revoked"] == 2 and len(users(kit)) == 1
    [failure] = told["failures"]
    assert failure["lease"] in [lease.id for lease in leases] and "DeleteUser" in failure["message"]
    with pytest.raises(rolecall.InvalidConfigurationError, match="no dynamic secret"):
        store.revoke_all("other")


def test_an_audit_log_that_was_changed_shows(place, store):
    assert store.verify_trail("app") is None and store.trail("app")
    with contextlib.closing(sqlite3.connect(place)) as file, file:
        file.execute("UPDATE audit SET actor = 'nobody' WHERE subject = 'app'")
    assert "line 1" in store.verify_trail("app")
    with pytest.raises(rolecall.InvalidConfigurationError, match="no log of"):
        asyncio.run(wait_for(lambda: store.verify_trail_async("other")))


def test_a_store_from_a_backup_is_left_alone_until_it_is_accepted(place):
    store = SecretStore(place)
    assert store.info()["doubt"] is None and store.info()["epoch"] == 1
    store.define("first", "iam-user", connection="profile:admin")
    with contextlib.closing(sqlite3.connect(place)) as file, \
            contextlib.closing(sqlite3.connect(f"{place}.old")) as copy_:
        file.backup(copy_)
    store.define("second", "iam-user", connection="profile:admin")
    # The last note of how far it has come is written when it is closed.
    del store
    for suffix in ["-wal", "-shm"]:
        Path(place + suffix).unlink(missing_ok=True)
    Path(f"{place}.old").replace(place)

    restored = SecretStore(place)
    assert "gone back in time" in restored.info()["doubt"]
    with pytest.raises(rolecall.InvalidConfigurationError, match="gone back in time"):
        restored.worker().run_once()
    accepted = restored.accept_restored()
    assert accepted == asyncio.run(wait_for(restored.info_async))
    assert accepted["doubt"] is None and accepted["epoch"] == 2
    assert restored.worker().run_once() == 0


def test_definitions_are_written_changed_and_taken_away(store):
    assert store.definition("app")["default_ttl_seconds"] == 3600
    changed = store.redefine("app", description="for the app", tags={}, default_ttl=1800.0)
    assert (changed["version"], changed["description"]) == (2, "for the app")
    store.define("role", "assumed-role", connection="profile:admin",
                 role_arn="arn:aws:iam::111111111111:role/R",
                 policy_document={"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}})
    assert [found["name"] for found in store.definitions()] == ["app", "role"]
    store.undefine("role")
    assert asyncio.run(wait_for(store.definitions_async))[0]["version"] == 2
    for parts, error in [
            ({"kind": "iam-user", "colour": "red"}, TypeError),
            ({"kind": "nonsense"}, rolecall.InvalidConfigurationError),
            ({"kind": "session-token", "path": "/x/"}, rolecall.InvalidConfigurationError),
            ({"kind": "iam-user", "connection": "access-key:AKID=hunter2"},
             rolecall.InvalidConfigurationError)]:
        with pytest.raises(error) as raised:
            store.define("other", **parts)
        assert "hunter2" not in str(raised.value)
    with pytest.raises(rolecall.InvalidConfigurationError, match="no dynamic secret"):
        store.definition("other")


async def wait_for(start):
    return await start()


def test_a_kept_secret_can_be_shown_again(place, store):
    kept = SecretStore(place, sealing_key="ab" * 32)
    lease = kept.lease("app", keep=True, wait=False)
    assert kept.find(lease.id).reveal() == lease.credentials
    with pytest.raises(rolecall.DeniedError):
        SecretStore(place, sealing_key="cd" * 32).find(lease.id).reveal()
    lease.revoke()


def test_the_worker_does_what_is_due(store):
    worker = store.worker(concurrency=2)
    assert worker.run_once() == 0
    assert asyncio.run(wait_for(worker.run_once_async)) == 0
    assert "rolecall_leases_revoked_total 0" in worker.metrics()

    async def until_told():
        work = asyncio.ensure_future(worker.run_async())
        worker.stop()
        await asyncio.wait_for(work, 30)

    asyncio.run(until_told())


def test_a_worker_tells_how_it_fares_while_it_runs(store):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = "127.0.0.1:%d" % free.getsockname()[1]
    worker = store.worker()
    work = threading.Thread(target=worker.run, kwargs={"listen": address}, daemon=True)
    work.start()
    assert asked(f"http://{address}/healthz") == "well\n"
    assert "rolecall_leases_revoked_total 0" in asked(f"http://{address}/metrics")
    worker.stop()
    work.join(30)
    for wrong, part in [("0.0.0.0:0", "loopback"), ("9464", "ADDRESS:PORT")]:
        with pytest.raises(rolecall.InvalidConfigurationError, match=part):
            worker.run(listen=wrong)
        with pytest.raises(rolecall.InvalidConfigurationError, match=part):
            asyncio.run(wait_for(lambda: worker.run_async(listen=wrong)))


def asked(url):
    """The answer, once somebody listens."""
    until = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return answer.read().decode()
        except urllib.error.URLError as error:
            assert isinstance(error.reason, ConnectionRefusedError) and time.monotonic() < until


def test_users_that_nobody_needs_are_found(place, store, kit, kit_home):
    lease = store.lease("app", wait=False)
    other = SecretStore(str(kit_home.path / "other.db"))
    other.define("app", "iam-user", connection="profile:admin")
    assert store.reap() == [] and other.reap() == []
    # Those that are minutes old are passed over: IAM may not show all of them yet.
    [user] = [user for user in kit.get("world")["users"] if user["name"] == lease.name]
    user["iam"]["created"] -= 7200
    kit.post("world", users=[user])
    # As if the first store were lost.
    how = {"store_id": store.info()["id"], "unexpired": True}
    fates = lambda found: [(orphan["user_name"], orphan["fate"]) for orphan in found]
    assert fates(other.reap("app", **how)) == [(lease.name, "found")]
    # What was removed is told also if not all were looked for.
    other.define("lost", "iam-user", connection="profile:nowhere")
    for reap in [other.reap, lambda **how: asyncio.run(wait_for(lambda: other.reap_async(**how)))]:
        with pytest.raises(rolecall.InvalidConfigurationError, match="nowhere") as raised:
            reap(**how)
        assert fates(raised.value.partial) == [(lease.name, "found")]
    with pytest.raises(rolecall.InvalidConfigurationError) as raised:
        other.reap(remove=True, **how)
    assert fates(raised.value.partial) == [(lease.name, "removed")] and users(kit) == []
    assert store.probe("app")["account_id"] == ACCOUNT


def test_a_provider_in_python_is_a_connection(place, kit):
    keys = rolecall.Credentials(kit.admin_key, kit.admin_secret)
    store = SecretStore(place, providers={"vault": lambda: keys}, actor="tess")
    store.define("mine", "iam-user", connection="custom:vault")
    with store.lease("mine", wait=False) as lease:
        assert users(kit) == [lease.name]
    assert store.trail(lease.id)[0]["actor"] == "tess"
    with pytest.raises(rolecall.InvalidConfigurationError, match="nobody has brought"):
        SecretStore(place).lease("mine")


def test_bad_input_is_told(store, kit_home):
    with pytest.raises(rolecall.InvalidConfigurationError):
        store.lease("app", ttl="48h")
    with pytest.raises(rolecall.InvalidConfigurationError, match="length of time"):
        store.lease("app", ttl="soon")
    with pytest.raises(ValueError):
        store.lease("app", ttl=-1)
    with pytest.raises(rolecall.InvalidConfigurationError, match="26 characters"):
        store.find("x")
    with pytest.raises(rolecall.InvalidConfigurationError, match="no state"):
        store.leases(states=["lost"])
    with pytest.raises(rolecall.RolecallError):
        SecretStore("mysql://me:hunter2@db/x")


def test_a_session_is_neither_shown_nor_pickled(store, kit, kit_home):
    method = store.auth().create_method(
        "ci", account_ids=[kit.roles["Hop"].split(":")[4]], formats=["akeyless"], sts_url=kit.url)
    begun = store.auth().log_in(rolecall.Session("hop"), access_id=method["access_id"], cache=False)
    shown = [repr(begun), str(begun), f"{begun!r:>5}", json.dumps(begun.to_dict())]
    # A signature alone would make a session of what is not secret in it.
    assert not any(part in text for part in begun.token.split(".") for text in shown)
    assert begun.subject in repr(begun)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(begun, protocol)
    for change in [lambda: copy.copy(begun), lambda: vars(begun)]:
        with pytest.raises(TypeError):
            change()
    with pytest.raises(AttributeError):
        begun.token = "other"


def test_a_signing_key_that_others_may_have_is_removed(store, kit, kit_home):
    auth, hop = store.auth(), rolecall.Session("hop")
    auth.create_method(
        "ci", account_ids=[kit.roles["Hop"].split(":")[4]], formats=["akeyless"], sts_url=kit.url)
    begun = auth.log_in(hop, access_id="ci", cache=False)
    [key] = auth.jwks()["keys"]
    with pytest.raises(rolecall.InvalidConfigurationError, match="no signing key"):
        auth.remove_key("another")
    auth.remove_key(key["kid"])
    with pytest.raises(rolecall.DeniedError):
        auth.session(begun)
    # Whoever held the auth methods before signs with the next key.
    assert auth.session(auth.log_in(hop, access_id="ci", cache=False))["method"] == "ci"
    assert auth.jwks()["keys"][0]["kid"] != key["kid"]


def test_auth_methods_let_in_and_leases_ask_for_their_sessions(store, kit, kit_home):
    auth = store.auth()
    hop = rolecall.Session("hop")
    method = auth.create_method(
        "ci", account_ids=[kit.roles["Hop"].split(":")[4]], role_names=["Hop"],
        formats=["rolecall"], audience="leases.example", sts_url=kit.url, jwt_ttl="10m")
    assert method["access_id"].startswith("p-") and method["jwt_ttl_seconds"] == 600
    begun = auth.log_in(hop, access_id=method["access_id"], cache=False)
    assert auth.session(begun.token)["method"] == auth.session(begun)["method"] == "ci"
    assert (begun.method, begun.access_id) == ("ci", method["access_id"])
    assert begun.expires_at - begun.issued_at == datetime.timedelta(minutes=10)
    assert begun.to_dict() == auth.session(begun) and begun.to_dict()["session_id"] == begun.session_id
    assert auth.jwks()["keys"]

    store.redefine("app", access=[f"{method['access_id']},role_name=Hop"])
    with pytest.raises(rolecall.DeniedError):
        store.lease("app", wait=False)
    with pytest.raises(rolecall.NotConfiguredError, match="names no auth method"):
        auth.log_in(hop)
    rolecall.identity.save_access_id(method["access_id"], profile="hop")
    assert auth.log_in(hop, cache=False).access_id == method["access_id"]
    with pytest.raises(rolecall.InvalidConfigurationError, match="access type"):
        rolecall.identity.save_access_id("p-1", access_type="saml")
    with store.lease("app", session=begun.token, wait=False) as lease:
        assert "Hop" in lease.identity
        assert lease.renew("1h", session=begun).expires_at > lease.expires_at

    # Tokens of the same credentials in the same second would be the same.
    others = rolecall.Session("hop", disk_cache=False)
    source = rolecall.identity.TokenSource(
        others, "rolecall", audience="leases.example", sts_url=kit.url)
    token = source.token().text
    assert auth.authenticate("ci", token).access_id == method["access_id"]
    with pytest.raises(rolecall.DeniedError):
        auth.authenticate("ci", token)

    changed = auth.update_method("ci", role_names=["Other"], description="nobody now")
    assert changed["version"] == 2 and asyncio.run(wait_for(auth.methods_async)) == [changed]
    with pytest.raises(rolecall.DeniedError):
        auth.log_in(hop, access_id="ci", cache=False)
    for parts, error in [({"colour": "red"}, TypeError),
                         ({"formats": ["none"]}, rolecall.InvalidConfigurationError),
                         ({"account_ids": ["7"]}, rolecall.InvalidConfigurationError)]:
        with pytest.raises(error):
            auth.create_method("other", **parts)
    auth.delete_method("ci")
    with pytest.raises(rolecall.InvalidConfigurationError):
        auth.method("ci")
