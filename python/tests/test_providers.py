"""Providers written in Python."""

import asyncio
import datetime
import threading

import pytest

import rolecall

KEYS = rolecall.Credentials("AKIDEXAMPLE", "sekrit")


def lasting(seconds):
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return rolecall.Credentials("ASIAEXAMPLE", "sekrit", "tokken", expiration=end)


class Vault:
    def __init__(self, answer):
        self.answer, self.calls = answer, 0

    def credentials(self):
        self.calls += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_functions_objects_and_coroutines_are_providers(home):
    async def later():
        # Gives way once, as what really waits does.
        await asyncio.sleep(0)
        return KEYS

    class Later:
        def __await__(self):
            return later().__await__()

    def soon():
        asyncio.get_running_loop()
        return asyncio.ensure_future(later())

    other = rolecall.Session(provider=lambda: KEYS)
    chain = rolecall.Chain([("only", lambda: KEYS)])
    for provider in [lambda: KEYS, Vault(KEYS), later, other, chain, Later, soon,
                     other.credentials_async, chain.credentials_async, lambda: asyncio.run(later())]:
        assert rolecall.Session(provider=provider).credentials() == KEYS
    for nothing in [7, "x", object()]:
        with pytest.raises(TypeError, match="provider"):
            rolecall.Session(provider=nothing)


def test_sixteen_threads_ask_once(home):
    vault = Vault(lasting(3600))
    asked, answer = threading.Event(), threading.Event()

    def slow():
        asked.set()
        assert answer.wait(30)
        return vault.credentials()

    session = rolecall.Session(provider=slow)
    found = []
    threads = [threading.Thread(target=lambda: found.append(session.credentials()))
               for _ in range(16)]
    for thread in threads:
        thread.start()
    # The interpreter is free while they wait.
    assert asked.wait(30)
    answer.set()
    for thread in threads:
        thread.join(30)
    assert found == [vault.answer] * 16 and vault.calls == 1


def test_what_it_raises_is_the_cause(home):
    failure = KeyError("vault is sealed")
    with pytest.raises(rolecall.InternalError, match="KeyError.*vault is sealed") as raised:
        rolecall.Session(provider=Vault(failure)).credentials()
    assert raised.value.__cause__ is failure
    with pytest.raises(rolecall.DeniedError) as raised:
        rolecall.Session(provider=Vault(rolecall.DeniedError("not you"))).credentials()
    assert raised.value.message == "not you" and raised.value.provider == "Vault"
    with pytest.raises(rolecall.MalformedError, match="no rolecall.Credentials, but dict"):
        rolecall.Session(provider=dict).credentials()


def test_what_has_nothing_to_do_with_a_loop_is_asked_once(home):
    failing = Vault(RuntimeError("no running engine"))
    with pytest.raises(rolecall.InternalError, match="RuntimeError: no running engine"):
        rolecall.Session(provider=failing).credentials()
    assert failing.calls == 1


def test_a_chain_goes_on_only_past_what_is_not_configured(home, kit_home):
    absent = Vault(rolecall.NotConfiguredError("no vault here"))
    profile = rolecall.Session(profile="user")
    chain = rolecall.Chain([("vault", absent), ("profile", profile)])
    assert chain.credentials().access_key_id == profile.credentials().access_key_id
    assert asyncio.run(await_all(chain.credentials_async)) == [profile.credentials()]
    for error in [rolecall.DeniedError, rolecall.UnavailableError, ValueError]:
        broken = rolecall.Chain([("vault", Vault(error("broken"))), ("profile", profile)])
        with pytest.raises(rolecall.RolecallError, match="broken"):
            rolecall.Session(provider=broken).credentials()
    with pytest.raises(rolecall.NotConfiguredError, match="vault: no vault here"):
        rolecall.Chain([("vault", absent)]).credentials()


async def await_all(*starts):
    return await asyncio.gather(*[start() for start in starts])


def test_they_are_asked_again_when_credentials_end(home):
    ended = Vault(lasting(-1))
    session = rolecall.Session(provider=ended)
    for _ in range(2):
        with pytest.raises(rolecall.DeniedError, match="ended at"):
            session.credentials()
    assert ended.calls == 2
    good = Vault(lasting(3600))
    session = rolecall.Session(provider=good)
    session.credentials(), session.credentials()
    assert good.calls == 1


def test_naive_ends_are_refused():
    with pytest.raises((TypeError, ValueError)):
        rolecall.Credentials("AKID", "s", expiration=datetime.datetime(2030, 1, 1))


def test_sts_is_called_with_them(kit_home, kit):
    keys = rolecall.Credentials(kit.key, kit.secret)
    session = rolecall.Session(provider=lambda: keys)
    assert session.sts().get_caller_identity().arn.endswith("user/alice")


def test_a_cancelled_wait_lets_the_next_one_try(home):
    calls = []

    async def stuck_once():
        calls.append(1)
        if len(calls) == 1:
            # It never comes: the test cancels it.
            await asyncio.sleep(3600)
        return KEYS

    async def main():
        session = rolecall.Session(provider=stuck_once)
        first = asyncio.ensure_future(session.credentials_async())
        while not calls:
            # No time passes: the loop goes on to the provider.
            await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await asyncio.wait_for(session.credentials_async(), 30)

    assert asyncio.run(main()) == KEYS
