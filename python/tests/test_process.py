"""Forks, signals and the end of the process."""

import os
import select
import signal
import socket
import subprocess
import sys

import pytest

import programs

TIME_OUT = programs.TIME_OUT

FORK = """
import asyncio, os, sys, threading, rolecall
from rolecall.secrets import SecretStore

session = rolecall.Session(profile="hop", disk_cache=False)
client = session.sts()
verifier = rolecall.identity.Verifier(mode="cached")
policy = rolecall.identity.Policy(account_ids=["111111111111"], formats=["akeyless"],
                                  sts_url=os.environ["AWS_ENDPOINT_URL_STS"])
tokens = rolecall.identity.TokenSource(rolecall.Session("user"))
store = SecretStore(sys.argv[1])
worker = store.worker()

def use():
    session.credentials()
    client.get_caller_identity()
    asyncio.run(both())
    assert verifier.verify(tokens.token().text, policy).accepted
    store.definitions()
    worker.run_once()

async def both():
    fresh = rolecall.Session(profile="hop", disk_cache=False)
    await asyncio.gather(fresh.credentials_async(), client.get_caller_identity_async())

use()
stop = threading.Event()
def hammer():
    while not stop.is_set():
        rolecall.Session(profile="hop", disk_cache=False).credentials()
threads = [threading.Thread(target=hammer) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(5):
    child = os.fork()
    if not child:
        use()
        grandchild = os.fork()
        if not grandchild:
            use()
            # The whole end of a process, with what is registered for it.
            sys.exit(0)
        assert os.waitpid(grandchild, 0)[1] == 0
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
use()
print("done")
"""


def test_children_of_a_fork_go_on(kit_home, kit, run):
    assert run(FORK, str(kit_home.path / "leases.db")) == "done\n"


MULTIPROCESSING = """
import multiprocessing, rolecall
session = rolecall.Session(profile="hop", disk_cache=False)
session.credentials()

def work(number):
    return session.credentials().account_id

with multiprocessing.get_context("fork").Pool(4) as pool:
    print(set(pool.map(work, range(40))))
"""


def test_a_pool_of_forked_processes_works(kit_home, kit, run):
    assert kit.roles["Hop"].split(":")[4] in run(MULTIPROCESSING)


@pytest.fixture
def silent():
    """A server that never answers: whoever connects waits."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(TIME_OUT)
        yield server


def waiting(kit_home, silent, script, stdin=subprocess.DEVNULL):
    """The script, once it waits for the silent server."""
    url = f"http://127.0.0.1:{silent.getsockname()[1]}"
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", script], env={**kit_home.env, "AWS_ENDPOINT_URL_STS": url},
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    connection, _ = silent.accept()
    return process, connection


@pytest.mark.parametrize("call", [
    "session.credentials()",
    "session.sts().get_caller_identity()",
    "asyncio.run(later())",
])
def test_control_c_ends_a_wait(kit_home, silent, call):
    process, connection = waiting(kit_home, silent, f"""
import asyncio, rolecall
session = rolecall.Session(profile="hop", disk_cache=False)
async def later():
    await session.credentials_async()
try:
    {call}
except KeyboardInterrupt:
    print("interrupted")
""")
    with connection:
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=10)
    assert (out, error, process.returncode) == ("interrupted\n", "", 0)


def test_signal_handlers_run_during_a_wait(kit_home, silent):
    process, connection = waiting(kit_home, silent, """
import signal, sys, rolecall
def told(*_):
    print("told", flush=True)
signal.signal(signal.SIGUSR1, told)
try:
    rolecall.Session(profile="hop", disk_cache=False).credentials()
except KeyboardInterrupt:
    pass
""")
    with connection:
        process.send_signal(signal.SIGUSR1)
        assert select.select([process.stdout], [], [], 10)[0]
        assert process.stdout.readline() == "told\n"
        # It waits on.
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=10) == ("", "")


def test_a_process_ends_while_a_thread_waits(kit_home, silent):
    process, connection = waiting(kit_home, silent, """
import threading, rolecall
session = rolecall.Session(profile="hop", disk_cache=False)
threading.Thread(target=session.credentials, daemon=True).start()
# Until the thread's connection is there, or the process would be gone before.
import os; os.read(0, 1)
""", stdin=subprocess.PIPE)
    with connection:
        out, error = process.communicate(timeout=10)
    assert process.returncode == 0, error


def test_a_worker_stops_at_control_c_and_when_it_is_told(kit_home, kit, run):
    script = """
import os, signal, sys, threading
from rolecall.secrets import SecretStore
worker = SecretStore(sys.argv[1]).worker()
threading.Thread(target=worker.stop).start()
worker.run()
try:
    threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT)).start()
    worker.run()
except KeyboardInterrupt:
    print("stopped")
"""
    assert run(script, str(kit_home.path / "leases.db")) == "stopped\n"
