"""How long each source of credentials takes as a whole process, against the kit: prints a table."""

import hashlib
import json
import pathlib
import subprocess
import tempfile
import urllib.request

from processes import ROLECALL, median_ms, running_kit

START_URL = "https://kit.example/start"


def main():
    with tempfile.TemporaryDirectory() as home, running_kit() as kit:
        measure(pathlib.Path(home), kit)


def post(kit, what, **fields):
    """What the kit's control interface answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    body = json.dumps(fields).encode()
    with opener.open(f"{kit['url']}/_kit/{what}", body, timeout=10) as answer:
        return json.load(answer)


def measure(home, kit):
    aws = home / ".aws"
    (aws / "sso/cache").mkdir(parents=True)
    token = post(kit, "web-identity-token", sub="system:serviceaccount:a:b",
                 aud="sts.amazonaws.com")["token"]
    (home / "token").write_text(token)
    login = post(kit, "sso-login", start_url=START_URL, region="eu-west-1")
    name = hashlib.sha1(START_URL.encode()).hexdigest()
    (aws / f"sso/cache/{name}.json").write_text(json.dumps(login))
    saml = post(kit, "saml-assertion", session_name="bench", lifetime=3600)["assertion"]
    (home / "assertion").write_text(saml)
    (home / "code").write_text(kit["mfa_codes"][0])
    (home / "printed.json").write_text(json.dumps(
        {"Version": 1, "AccessKeyId": "AKID", "SecretAccessKey": "secret"}))
    where = f"region = eu-west-1\nendpoint_url = {kit['url']}\n"
    (aws / "config").write_text(f"""\
[profile static]
aws_access_key_id = {kit["access_key_id"]}
aws_secret_access_key = {kit["secret_access_key"]}
[profile process]
credential_process = cat {home}/printed.json
[profile role]
role_arn = {kit["roles"]["Hop"]}
source_profile = static
{where}
[profile mfa]
role_arn = {kit["roles"]["Mfa"]}
source_profile = static
mfa_serial = {kit["mfa_serial"]}
mfa_process = cat {home}/code
{where}
[profile saml]
role_arn = {kit["roles"]["Saml"]}
saml_assertion = file://{home}/assertion
{where}
[profile web]
role_arn = {kit["roles"]["Web"]}
web_identity_token_file = {home}/token
{where}
[profile sso]
sso_start_url = {START_URL}
sso_region = eu-west-1
sso_account_id = 111111111111
sso_role_name = {kit["sso_role"]}
{where}
""")
    base = {"HOME": str(home), "PATH": "/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED": "true"}
    keys = {"AWS_ACCESS_KEY_ID": kit["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": kit["secret_access_key"]}
    imds = {"AWS_EC2_METADATA_DISABLED": "false",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": kit["imds_url"]}
    container = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": kit["container_url"],
                 "AWS_CONTAINER_AUTHORIZATION_TOKEN": kit.get("container_token", "")}
    rows = [
        ("keys of a profile", "--profile static", {}),
        ("keys of the environment", "", keys),
        ("`credential_process` (`cat`)", "--profile process", {}),
        ("a role, one call to STS", "--profile role", {}),
        ("web identity, one call to STS", "--profile web", {}),
        ("a SAML assertion in a file, one call to STS", "--profile saml", {}),
        ("IAM Identity Center, one call to its portal", "--profile sso", {}),
        ("EC2 metadata, three requests", "", imds),
        ("container endpoint, one request", "", container),
    ]
    print("\n| source, nothing cached | median, ms |\n| --- | --- |")
    for title, profile, more in rows:
        command = f"{ROLECALL} export --no-cache {profile}"
        print(f"| {title} | {median_ms(command, {**base, **more}, 300):.2f} |")
    # Each code is good once: the session it gave stays in the cache, and the role's own goes.
    command = f"{ROLECALL} export --profile mfa"
    subprocess.run(command.split(), env=base, check=True, stdout=subprocess.DEVNULL, timeout=60)
    entries = (aws / "cli/cache").iterdir()
    role, = [entry for entry in entries if kit["roles"]["Mfa"] in entry.read_text()]
    took = median_ms(command, base, 300, prepare=f"rm {role}")
    print(f"| a role with an MFA session that is cached, one call to STS | {took:.2f} |")


if __name__ == "__main__":
    main()
