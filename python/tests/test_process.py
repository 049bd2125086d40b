"""Forks, signals and the end of the process."""

import contextlib
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import termios
import time
from pathlib import Path

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


PREFORK = """
import os, sys, rolecall
from rolecall import identity
from rolecall.secrets import SecretStore

policy = identity.Policy(account_ids=["111111111111"], formats=["akeyless"],
                         sts_url=os.environ["AWS_ENDPOINT_URL_STS"])
verifier = identity.Verifier(guard=SecretStore(sys.argv[1]))
token = identity.TokenSource(rolecall.Session("user")).token().text
children = []
for _ in range(4):
    child = os.fork()
    if not child:
        os._exit(0 if verifier.verify(token, policy).accepted else 1)
    children.append(child)
print([os.waitpid(child, 0)[1] for child in children].count(0))
"""


def test_a_token_opens_one_of_many_processes_if_a_store_guards_them(kit_home, run):
    assert run(PREFORK, str(kit_home.path / "leases.db")) == "1\n"


# A place is written in a pipe, so opening takes until somebody writes it there. Whoever opens a second
# time finds it empty.
OPENING = """
import asyncio, os, sys, threading, time
from rolecall.secrets import SecretStore

pipe, place = sys.argv[1:]
def writer():
    file = os.open(pipe, os.O_RDWR)
    def write():
        until = time.monotonic() + 30
        while readers() < 2:
            assert time.monotonic() < until
        os.write(file, place.encode())
        os.close(file)
    return write

def readers():
    with os.scandir("/proc/self/fd") as files:
        return [os.readlink(file.path) for file in files if os.path.lexists(file.path)].count(pipe)

async def main(start):
    write = writer()
    future = start()
    # The loop is free for that.
    await asyncio.get_running_loop().run_in_executor(None, write)
    return await asyncio.wait_for(future, 30)

store = asyncio.run(main(lambda: SecretStore.open_async("file://" + pipe)))
assert store.definitions() == []
for use in ["asyncio", "threads", "worker"]:
    child = os.fork()
    if not child:
        if use == "asyncio":
            assert asyncio.run(main(store.definitions_async)) == []
        elif use == "threads":
            found, write = [], writer()
            threads = [threading.Thread(target=lambda: found.append(store.definitions()))
                       for _ in range(4)]
            [thread.start() for thread in threads]
            write()
            [thread.join() for thread in threads]
            assert found == [[]] * 4
        else:
            worker, write = store.worker(), writer()
            work = threading.Thread(target=worker.run)
            work.start()
            worker.stop()
            write()
            work.join()
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0, use
print("done")
"""


def test_a_store_opens_once_and_holds_nobody_up(kit_home, run):
    pipe = kit_home.path / "place"
    os.mkfifo(pipe)
    assert run(OPENING, str(pipe), str(kit_home.path / "leases.db")) == "done\n"


@pytest.mark.parametrize("call", [
    "rolecall.Session()",
    "rolecall.Session().sts()",
    "rolecall.explain()",
    "rolecall.doctor()",
    "rolecall.profiles()",
    "rolecall.sts.Client.anonymous(region='us-east-1')",
    "rolecall.identity.TokenSource()",
    "rolecall.identity.verify_web_identity_token('a.b.c', jwks=pipe, issuer='i', audience='a')",
    "rolecall.secrets.SecretStore('file://' + pipe)",
])
def test_control_c_ends_the_wait_for_a_silent_pipe(home, call):
    pipe = home.path / "pipe"
    os.mkfifo(pipe)
    script = f"""
import os, rolecall
pipe = os.environ["AWS_CONFIG_FILE"]
try:
    {call}
except KeyboardInterrupt:
    print("interrupted")
"""
    with open(pipe, "r+b", buffering=0):
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", script], env={**home.env, "AWS_CONFIG_FILE": str(pipe)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + TIME_OUT
        while str(pipe) not in opened_by(process):
            assert process.poll() is None and time.monotonic() < until
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=10)
    assert (out, error, process.returncode) == ("interrupted\n", "", 0)


def opened_by(process):
    """The files that a process has open."""
    files = Path("/proc", str(process.pid), "fd")
    with contextlib.suppress(FileNotFoundError):
        return {os.readlink(file) for file in files.iterdir()}
    return set()


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


def on_a_terminal(home, script):
    """The script, with a terminal of its own: its process, and the terminal's other end."""
    process, terminal = pty.fork()
    if not process:
        try:
            os.execve(sys.executable, [sys.executable, "-I", "-c", script], home.env)
        finally:
            os._exit(127)
    return process, terminal


def until_echo(terminal, is_on, seen):
    """Waits until the terminal shows what is typed, or does not; notes what is on it meanwhile."""
    until = time.monotonic() + TIME_OUT
    while bool(termios.tcgetattr(terminal)[3] & termios.ECHO) != is_on:
        assert time.monotonic() < until, seen
        if select.select([terminal], [], [], 0.01)[0]:
            seen += os.read(terminal, 4096)


def to_the_end(process, terminal, seen):
    with contextlib.suppress(OSError):
        while some := os.read(terminal, 4096):
            seen += some
    assert os.waitpid(process, 0)[1] == 0, seen
    assert termios.tcgetattr(terminal)[3] & termios.ECHO
    os.close(terminal)
    return seen.decode()


@pytest.fixture
def mfa_home(kit_home, kit):
    kit_home.role_profile("mfa", kit.roles["Mfa"], "user",
                          f"mfa_serial = {kit.about['mfa_serial']}")
    return kit_home


def test_control_c_at_a_question_is_one(mfa_home):
    seen = bytearray()
    process, terminal = on_a_terminal(mfa_home, """
import rolecall
try:
    rolecall.Session("mfa", disk_cache=False).credentials()
except KeyboardInterrupt:
    print("interrupted")
""")
    until_echo(terminal, False, seen)
    os.write(terminal, b"12\x03")
    assert "interrupted" in to_the_end(process, terminal, seen)


def test_a_question_that_nobody_waits_for_leaves_the_terminal(mfa_home):
    seen = bytearray()
    process, terminal = on_a_terminal(mfa_home, """
import asyncio, rolecall, sys
async def main():
    session = rolecall.Session("mfa", disk_cache=False)
    try:
        await asyncio.wait_for(session.credentials_async(), 1)
    except asyncio.TimeoutError:
        print("given up", input())
asyncio.run(main())
""")
    until_echo(terminal, False, seen)
    until_echo(terminal, True, seen)
    os.write(terminal, b"and on\n")
    assert "given up and on" in to_the_end(process, terminal, seen)


def test_the_end_of_the_process_leaves_the_terminal_as_it_was(mfa_home):
    seen = bytearray()
    process, terminal = on_a_terminal(mfa_home, """
import os, rolecall, sys, termios, threading
session = rolecall.Session("mfa", disk_cache=False)
threading.Thread(target=session.credentials, daemon=True).start()
tty = os.open("/dev/tty", os.O_RDWR)
while termios.tcgetattr(tty)[3] & termios.ECHO:
    pass
""")
    assert "Enter MFA code" in to_the_end(process, terminal, seen)
