"""`rolecall serve` for a minute at 1,000 requests a second, and as fast as it goes: prints a table."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import urllib.request

from processes import ROLECALL, running_kit, write_hop

SECONDS = int(os.environ.get("SECONDS_OF_LOAD", "60"))
RATE = 1000
CLIENTS = 10


def resident_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def run(*command):
    done = subprocess.run(command, check=True, capture_output=True, text=True,
                          timeout=SECONDS + 60)
    return done.stdout


def steady(url, header):
    """At a rate; Debian's hey is the one that keeps one."""
    said = run("hey", "-z", f"{SECONDS}s", "-c", str(CLIENTS), "-q", str(RATE // CLIENTS),
               "-H", header, url)
    statuses = dict(re.findall(r"\[(\d+)\]\s+(\d+) responses", said))
    assert list(statuses) == ["200"] and "Error distribution" not in said, said
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
    p50, p99 = (float(re.search(rf"{p}% in ([\d.]+) secs", said)[1]) * 1000 for p in (50, 99))
    return rate, p50, p99


def flat_out(url, header, method="GET"):
    """As fast as one connection for each of some clients goes."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f'wrk.method = "{method}"\n')
        script.flush()
        said = run("wrk", "--latency", "-t", "1", "-c", str(CLIENTS), "-d", "5s", "-s", script.name,
                   "-H", header, url)
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
    to_ms = {"us": 0.001, "ms": 1, "s": 1000}
    found = (re.search(rf"{p}%\s+([\d.]+)(us|ms|s)", said) for p in (50, 99))
    return rate, *(float(match[1]) * to_ms[match[2]] for match in found)


def measure(serving, about):
    root = about["imds"]["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
    container = about["profiles"][0]["container"]
    asked = urllib.request.Request(f"{root}latest/api/token", method="PUT")
    with urllib.request.urlopen(asked, timeout=10) as answer:
        token = f"X-aws-ec2-metadata-token: {answer.read().decode()}"
    secret = pathlib.Path(container["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read_text()
    imds = f"{root}latest/meta-data/iam/security-credentials/Hop"
    uri = container["AWS_CONTAINER_CREDENTIALS_FULL_URI"]

    flat_out(imds, token)
    before = resident_kib(serving.pid)
    rows = [(f"IMDS credentials, {RATE:,} a second for {SECONDS} s", steady(imds, token))]
    after = resident_kib(serving.pid)
    rows += [
        (f"IMDS credentials, {CLIENTS} clients as fast as they can", flat_out(imds, token)),
        (f"IMDS tokens, {CLIENTS} clients as fast as they can",
         flat_out(f"{root}latest/api/token", "X: x", "PUT")),
        (f"container credentials, {CLIENTS} clients as fast as they can",
         flat_out(uri, f"Authorization: {secret}")),
    ]
    last = resident_kib(serving.pid)
    print("\n| serve | requests/s | p50, ms | p99, ms |\n| --- | --- | --- | --- |")
    for name, (rate, p50, p99) in rows:
        print(f"| {name} | {rate:,.0f} | {p50:.2f} | {p99:.2f} |")
    print(f"\nmemory of serve: {before} KiB before the minute, {after} KiB after it, "
          f"{last} KiB at the end")


def main():
    with tempfile.TemporaryDirectory() as home, running_kit() as kit:
        write_hop(home, kit, kit["url"])
        environment = {"HOME": home, "PATH": os.environ["PATH"]}
        serving = subprocess.Popen(
            [ROLECALL, "serve", "--profile", "hop", "--port", "0", "--json"], text=True,
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            measure(serving, json.loads(serving.stdout.readline()))
        finally:
            serving.terminate()
            serving.wait(timeout=20)


main()
