"""The Python package: prints a table of what it costs, beside boto3.

usage: benches/python.py PYTHON PEERS      an environment with the wheel, and one with boto3
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile

PYTHON, PEERS = sys.argv[1:]
RUNS = 15

IMPORT = """
import sys, time
begun = time.perf_counter()
import {name}
print((time.perf_counter() - begun) * 1000)
"""

MEMORY = """
import threading, time, rolecall
session = rolecall.Session("bench")
session.credentials()
CALLS = 200_000

def calls(number):
    ask = session.credentials
    for _ in range(number):
        ask()

def best(work):
    def once():
        begun = time.perf_counter()
        work()
        return time.perf_counter() - begun
    return min(once() for _ in range(5))

def threads():
    running = [threading.Thread(target=calls, args=(CALLS // 16,)) for _ in range(16)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()

print(best(lambda: calls(CALLS)) / CALLS * 1e9, best(threads) / CALLS * 1e9)
"""

BOTO3_MEMORY = """
import time, boto3
credentials = boto3.Session(profile_name="bench").get_credentials()
CALLS = 50_000
def once():
    begun = time.perf_counter()
    for _ in range(CALLS):
        credentials.get_frozen_credentials()
    return time.perf_counter() - begun
print(min(once() for _ in range(5)) / CALLS * 1e9)
"""

TOKENS = """
import time, rolecall
from rolecall import identity
source = identity.TokenSource(rolecall.Session("bench"), "{dialect}", **{more})
source.token()
CALLS = 50_000
def once():
    begun = time.perf_counter()
    for _ in range(CALLS):
        source.token().text
    return time.perf_counter() - begun
print(CALLS / min(once() for _ in range(5)))
"""

CONFIG = """[profile bench]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
region = us-east-1
"""


def main():
    with tempfile.TemporaryDirectory() as home:
        folder = pathlib.Path(home, ".aws")
        folder.mkdir()
        (folder / "config").write_text(CONFIG)
        run = lambda python, script: [float(word) for word in subprocess.run(
            [python, "-I", "-c", script], check=True, capture_output=True, text=True,
            env={"HOME": home, "PATH": "/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED": "true"},
        ).stdout.split()]
        measure(run)


def measure(run):
    imports = {name: statistics.median(run(python, IMPORT.format(name=name))[0]
                                       for _ in range(RUNS))
               for name, python in [("rolecall", PYTHON), ("boto3", PEERS)]}
    one, sixteen = run(PYTHON, MEMORY)
    [theirs] = run(PEERS, BOTO3_MEMORY)
    row("import rolecall", f"{imports['rolecall']:.1f} ms",
        f"import boto3 {imports['boto3']:.0f} ms", "<= 15 ms")
    row("credentials from memory, a call", f"{one:.0f} ns",
        f"boto3, static keys {theirs:.0f} ns", "<= 500 ns")
    row("the same, 16 threads", f"{sixteen:.0f} ns", "", "no convoy")
    for dialect, more in [("akeyless", {}), ("eks", {"cluster": "prod"}),
                          ("rolecall", {"audience": "shop"})]:
        [rate] = run(PYTHON, TOKENS.format(dialect=dialect, more=more))
        row(f"tokens of {dialect}, a second", f"{rate:,.0f}", "", ">= 80,000")
    for wheel in pathlib.Path(PYTHON).parents[1].glob("wheels/*.whl"):
        row("wheel", f"{wheel.stat().st_size / 1e6:.1f} MB", "", "")


def row(what, ours, theirs, goal):
    print(f"| {what} | {ours} | {theirs} | {goal} |", flush=True)


main()
