"""Whole processes against their peers, by hyperfine: prints a table of medians and ratios."""

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
ROLECALL = TARGET / "release/rolecall"
KIT = TARGET / "release/rolecall-kit"
EMPTY = TARGET / "bench/empty"
AWS_V1 = TARGET / "peers/bin/aws"
AWS_V2 = pathlib.Path("/usr/bin/aws")
PYTHON = TARGET / "peers/bin/python"


@contextlib.contextmanager
def running_kit(*arguments):
    """The kit while it runs: what it says of itself."""
    kit = subprocess.Popen([KIT, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           text=True)
    try:
        yield json.loads(kit.stdout.readline())
    finally:
        kit.stdin.close()
        kit.wait(timeout=10)


def write_hop(home, kit, url):
    """The profile `hop`: a role of the kit's, from a user's keys."""
    aws = pathlib.Path(home, ".aws")
    aws.mkdir()
    (aws / "config").write_text(f"""\
[profile alice]
aws_access_key_id = {kit["access_key_id"]}
aws_secret_access_key = {kit["secret_access_key"]}
[profile hop]
role_arn = {kit["roles"]["Hop"]}
source_profile = alice
region = eu-west-1
endpoint_url = {url}
""")


def median_ms(command, environment, runs, prepare=None):
    preparation = ["--prepare", prepare] if prepare else []
    with tempfile.NamedTemporaryFile(suffix=".json") as result:
        subprocess.run(
            ["hyperfine", "-N", "--warmup", str(max(3, runs // 20)), "--runs", str(runs),
             "--export-json", result.name, "--style", "none", *preparation, command],
            env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=600,
        )
        return json.load(result)["results"][0]["median"] * 1000


def peak_kib(command, environment):
    """The most memory a process had. A small parent starts it: Linux counts the parent's until exec.

    Most of it is pages of the program's file, and how many of them Linux brings in around one that
    is needed depends on how they got into memory: they are read from disk first, as on a machine
    that was not just built on.
    """
    program = os.open(command.split()[0], os.O_RDONLY)
    os.fsync(program)
    os.posix_fadvise(program, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(program)
    return statistics.median(once_peak_kib(command, environment) for _ in range(5))


def once_peak_kib(command, environment):
    measured = subprocess.run(
        ["sh", "-c", 'exec "$@" > /dev/null', "sh", "/usr/bin/time", "-f", "%M", *command.split()],
        env=environment, check=True, capture_output=True, text=True, timeout=60,
    )
    return int(measured.stderr.split()[-1])


def main():
    with tempfile.TemporaryDirectory() as home:
        authority = pathlib.Path(home, "ca.pem")
        with running_kit("--tls", "--ca-out", authority) as kit:
            measure(home, authority, kit)


def measure(home, authority, kit):
    write_hop(home, kit, kit["tls_url"])
    environment = {"HOME": home, "PATH": os.environ["PATH"], "AWS_CA_BUNDLE": str(authority)}
    warm = f"{ROLECALL} export --profile hop"
    subprocess.run(warm.split(), env=environment, check=True, stdout=subprocess.DEVNULL)

    empty = median_ms(str(EMPTY), environment, 1000)
    ours = median_ms(warm, environment, 1000)
    v1 = median_ms(f"{AWS_V1} sts get-caller-identity --profile hop", environment, 10)
    v2 = median_ms(f"{AWS_V2} configure export-credentials --profile hop", environment, 10)
    cold = median_ms(f"{warm} --no-cache", environment, 300)
    question = f"{kit['tls_url']}/?Action=GetCallerIdentity&Version=2011-06-15"
    curl = median_ms(f"curl -s -o /dev/null --cacert {authority} {question}", environment, 300)

    rows = [
        ("an empty Rust program", empty, ""),
        ("rolecall export, warm cache", ours, f"{ours / empty:.2f} x the empty program"),
        ("AWS CLI v1 sts get-caller-identity, warm cache", v1, f"{v1 / ours:.0f} x rolecall"),
        ("AWS CLI v2 configure export-credentials, warm cache", v2, f"{v2 / ours:.0f} x rolecall"),
        ("rolecall export, one call to STS over TLS", cold, f"{cold / curl:.2f} x curl"),
        ("curl, the same TLS peer", curl, ""),
    ]
    print("\n| process | median, ms | ratio |\n| --- | --- | --- |")
    for name, milliseconds, ratio in rows:
        print(f"| {name} | {milliseconds:.2f} | {ratio} |")
    megabytes = ROLECALL.stat().st_size / 1e6
    print(f"\nprogram, stripped: {megabytes:.1f} MB")
    print(f"peak memory: rolecall export, warm {peak_kib(warm, environment) * 1024 / 1e6:.2f} MB; "
          f"the empty program {peak_kib(str(EMPTY), environment) * 1024 / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
