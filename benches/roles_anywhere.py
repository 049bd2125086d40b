"""Roles Anywhere as whole processes, against the kit over TLS: prints a table of medians and ratios."""

import json
import pathlib
import subprocess
import tempfile
import urllib.request

from processes import EMPTY, PYTHON, ROLECALL, median_ms, running_kit

CLIENT = """
import json, pathlib, sys
from iam_rolesanywhere_session import IAMRolesAnywhereSession
about = json.loads(pathlib.Path(sys.argv[1]).read_text())
session = IAMRolesAnywhereSession(
    profile_arn=about["profile_arn"], role_arn=about["role_arn"],
    trust_anchor_arn=about["trust_anchor_arn"], certificate=about["certificate"].encode(),
    private_key=about["private_key"].encode(), region="us-east-1",
    endpoint=about["tls_url"].removeprefix("https://"), verify=about["ca"]).get_session()
print(session.get_credentials().get_frozen_credentials().access_key)
"""


def main():
    with tempfile.TemporaryDirectory() as home:
        home = pathlib.Path(home)
        authority = home / "ca.pem"
        with running_kit("--tls", "--ca-out", authority) as kit:
            measure(home, authority, kit)


def measure(home, authority, kit):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{kit['url']}/_kit/certificate", b"{}", timeout=10) as answer:
        issued = json.load(answer)
    (home / "host.pem").write_text(issued["certificate"] + issued["chain"])
    (home / "host.key").write_text(issued["private_key"])
    role = kit["roles"]["Workload"]
    about = kit | issued | {"role_arn": role, "ca": str(authority)}
    (home / "about.json").write_text(json.dumps(about))
    (home / "client.py").write_text(CLIENT)
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "AWS_CA_BUNDLE": str(authority),
                   "AWS_EC2_METADATA_DISABLED": "true"}
    warm = (f"{ROLECALL} credential-process --certificate {home}/host.pem "
            f"--private-key {home}/host.key --trust-anchor-arn {kit['trust_anchor_arn']} "
            f"--profile-arn {kit['profile_arn']} --role-arn {role} --endpoint {kit['tls_url']}")
    subprocess.run(warm.split(), env=environment, check=True, stdout=subprocess.DEVNULL)

    empty = median_ms(str(EMPTY), environment, 1000)
    ours = median_ms(warm, environment, 1000)
    cold = median_ms(f"{warm} --no-cache", environment, 300)
    client = median_ms(f"{PYTHON} {home}/client.py {home}/about.json", environment, 10)
    rows = [
        ("an empty Rust program", empty, ""),
        ("`credential-process` with a certificate, warm cache", ours,
         f"{ours / empty:.2f} x the empty program"),
        ("the same, one CreateSession over TLS (P-256)", cold, f"{cold / client:.3f} x the Python client"),
        ("iam-rolesanywhere-session, the same", client, f"{client / cold:.0f} x rolecall"),
    ]
    print("\n| process | median, ms | ratio |\n| --- | --- | --- |")
    for name, milliseconds, ratio in rows:
        print(f"| {name} | {milliseconds:.2f} | {ratio} |")


if __name__ == "__main__":
    main()
