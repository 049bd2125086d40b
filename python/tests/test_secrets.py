"""Dynamic secrets and leases, against the kit's IAM."""

import asyncio
import datetime
import pickle

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
    assert longer.expires_at > lease.expires_at and longer.credentials == lease.credentials
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


def test_users_that_nobody_needs_are_found(place, store, kit, kit_home):
    lease = store.lease("app", wait=False)
    other = SecretStore(str(kit_home.path / "other.db"))
    other.define("app", "iam-user", connection="profile:admin")
    assert store.reap() == [] and other.reap() == []
    lease.forget()
    found = store.reap("app", remove=True)
    assert [(orphan["user_name"], orphan["fate"]) for orphan in found] in (
        [(lease.name, "removed")], [])
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


def test_auth_methods_let_in_and_leases_ask_for_their_sessions(store, kit, kit_home):
    auth = store.auth()
    hop = rolecall.Session("hop")
    method = auth.create_method(
        "ci", account_ids=[kit.roles["Hop"].split(":")[4]], role_names=["Hop"],
        formats=["rolecall"], audience="leases.example", sts_url=kit.url, jwt_ttl="10m")
    assert method["access_id"].startswith("p-") and method["jwt_ttl_seconds"] == 600
    begun = auth.log_in(hop, access_id=method["access_id"], cache=False)
    assert auth.session(begun["token"])["method"] == "ci"
    assert auth.jwks()["keys"]

    store.redefine("app", access=[f"{method['access_id']},role_name=Hop"])
    with pytest.raises(rolecall.DeniedError):
        store.lease("app", wait=False)
    with store.lease("app", session=begun["token"], wait=False) as lease:
        assert "Hop" in lease.identity

    # Tokens of the same credentials in the same second would be the same.
    others = rolecall.Session("hop", disk_cache=False)
    source = rolecall.identity.TokenSource(
        others, "rolecall", audience="leases.example", sts_url=kit.url)
    token = source.token().text
    assert auth.authenticate("ci", token)["access_id"] == method["access_id"]
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
