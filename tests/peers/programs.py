"""Running programs: the ones under test in a home folder of their own, and servers on loopback."""

import json
import os
import select
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILT = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute() / "debug"
ROLECALL = str(BUILT / "rolecall")
KIT = str(BUILT / "rolecall-kit")
PYTHON = sys.executable
NODE = "/usr/bin/node"
KUBECTL = shutil.which("kubectl") or "/usr/bin/kubectl"
FAKETIME = "/usr/bin/faketime"
NODE_MODULES = str(Path(PYTHON).parents[1] / "node" / "node_modules")
# Where make puts it: not every environment that runs tests is the peers' own.
MOTO = str(BUILT.parent / "peers" / "bin" / "moto_server")
AWS = {"v1": str(Path(PYTHON).parent / "aws"), "v2": "/usr/bin/aws"}
REGION = "us-east-1"
TIME_OUT = 60


class Home:
    """A home folder, and programs that know no other."""

    def __init__(self, path):
        self.path = path
        self.aws_folder = path / ".aws"
        self.cache = self.aws_folder / "cli" / "cache"
        self.aws_folder.mkdir(parents=True)
        self.sts_url = None
        self.env = {
            "HOME": str(path),
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }

    def use_sts(self, url):
        """Sends every program to this STS."""
        self.sts_url = url
        self.env["AWS_ENDPOINT_URL_STS"] = url
        # Debian's AWS CLI v2 knows --endpoint-url only, which does not reach the calls it makes
        # for a profile. It does read endpoint rules from here before its own.
        rules = self.aws_folder / "models" / "sts" / "2011-06-15" / "endpoint-rule-set-1.json"
        rules.parent.mkdir(parents=True)
        endpoint = {"url": url, "properties": {}, "headers": {}}
        everything = {"conditions": [], "endpoint": endpoint, "type": "endpoint"}
        parameters = {
            "Region": {"builtIn": "AWS::Region", "required": False, "type": "String"},
            "UseDualStack": _switch("AWS::UseDualStack"),
            "UseFIPS": _switch("AWS::UseFIPS"),
            "Endpoint": {"builtIn": "SDK::Endpoint", "required": False, "type": "String"},
            "UseGlobalEndpoint": _switch("AWS::STS::UseGlobalEndpoint"),
        }
        rules.write_text(json.dumps({"version": "1.0", "parameters": parameters,
                                     "rules": [everything]}))

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def config(self, text):
        """Adds to ~/.aws/config."""
        with open(self.aws_folder / "config", "a") as file:
            file.write(text + "\n")

    def static_profile(self, name, key, secret):
        self.config(f"[profile {name}]\naws_access_key_id = {key}\n"
                    f"aws_secret_access_key = {secret}")

    def role_profile(self, name, role_arn, source, *more):
        self.config("\n".join([f"[profile {name}]", f"role_arn = {role_arn}",
                               f"source_profile = {source}", *more]))

    def process_profile(self, name, answer):
        """A profile whose credential_process prints this answer."""
        path = self.write(f"{name}.json", json.dumps({"Version": 1, **answer}))
        self.config(f"[profile {name}]\ncredential_process = /usr/bin/cat {path}")

    def run(self, *command, expect=0, **how):
        """Runs to the end; gives standard output, or the error with another exit code expected."""
        done = self.run_anyhow(*command, **how)
        assert done.returncode == expect, (
            f"{command[0]} ended with {done.returncode}, not {expect}\n"
            f"standard output: {done.stdout}\nstandard error: {done.stderr}")
        return done.stdout if expect == 0 else done.stderr

    def run_anyhow(self, *command, env=None, stdin="", text=True):
        """Runs to the end, whichever that is."""
        return subprocess.run(command, env={**self.env, **(env or {})}, cwd=self.path,
                              capture_output=True, input=stdin if text else stdin.encode(),
                              text=text, timeout=TIME_OUT)

    def rolecall(self, *arguments, **how):
        return self.run(ROLECALL, *arguments, **how)

    def rolecall_json(self, *arguments, **how):
        return json.loads(self.rolecall(*arguments, **how))

    def aws(self, version, *arguments, **how):
        return self.run(AWS[version], *arguments, "--output", "json", **how)

    def aws_identity(self, version, *arguments, **how):
        """What `aws sts get-caller-identity` says."""
        return json.loads(self.aws(version, "sts", "get-caller-identity",
                                   "--endpoint-url", self.sts_url, *arguments, **how))

    def python(self, script, *arguments, **how):
        """Runs a Python script, for boto3."""
        return self.run(PYTHON, "-c", script, *arguments, **how)


class Server:
    """A program that serves until it is stopped; ready once it prints a line that says so."""

    def __init__(self, command, home, is_ready, env=None):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=home,
            env=env or {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})
        self.line = self._wait(command, is_ready)
        # Nobody reads the rest: it must not fill the pipe and stop the program.
        self._drain = subprocess.Popen(["/usr/bin/cat"], stdin=self.process.stdout,
                                       stdout=subprocess.DEVNULL)

    def _wait(self, command, is_ready):
        seen, until = b"", time.monotonic() + TIME_OUT
        while time.monotonic() < until:
            # The pipe is read without a buffer, so that what is there shows in select.
            readable, _, _ = select.select([self.process.stdout], [], [], 1)
            if not readable:
                continue
            some = os.read(self.process.stdout.fileno(), 65536)
            seen += some
            for line in seen.decode().splitlines(keepends=True):
                if line.endswith("\n") and is_ready(line):
                    return line
            if not some:
                break
        self.process.kill()
        raise RuntimeError(f"{command[0]} did not get ready: {seen.decode()}")

    def stop(self):
        self.process.terminate()
        self.process.wait(TIME_OUT)
        self._drain.wait(TIME_OUT)


class Kit:
    """The project's own AWS on loopback, with its control interface."""

    def __init__(self, home, *arguments):
        self._server = Server([KIT, *arguments], home, lambda line: line.startswith("{"))
        self.about = json.loads(self._server.line)
        self.url = self.about["url"]
        self.key = self.about["access_key_id"]
        self.secret = self.about["secret_access_key"]
        self.admin_key = self.about["admin_access_key_id"]
        self.admin_secret = self.about["admin_secret_access_key"]
        self.roles = self.about["roles"]
        self.stop = self._server.stop

    def get(self, path):
        return self._ask(path, None)

    def post(self, path, **body):
        return self._ask(path, json.dumps(body).encode())

    def _ask(self, path, body):
        with urllib.request.urlopen(f"{self.url}/_kit/{path}", body, TIME_OUT) as answer:
            return json.load(answer)

    def count(self, operation):
        return self.get("counts").get(operation, 0)

    def web_identity_token(self, subject="system:serviceaccount:shop:cart"):
        return self.post("web-identity-token", sub=subject)["token"]


def check_versions():
    """Every peer is there, in the version that is meant: a missing one is an error."""
    for program in [ROLECALL, KIT, MOTO, *AWS.values(), NODE, KUBECTL, FAKETIME,
                    "/usr/bin/bash", "/usr/bin/fish"]:
        if not shutil.which(program):
            raise RuntimeError(f"{program} is missing; `make test` builds or installs it")
    for version, program in AWS.items():
        said = subprocess.run([program, "--version"], capture_output=True, text=True,
                              timeout=TIME_OUT).stdout
        if not said.startswith(f"aws-cli/{version[1]}."):
            raise RuntimeError(f"{program} is not AWS CLI {version}: {said}")
    if not Path(NODE_MODULES, "@aws-sdk", "client-sts").is_dir():
        raise RuntimeError(f"the AWS SDK is not in {NODE_MODULES}; `make test` installs it")


def _switch(built_in):
    return {"builtIn": built_in, "required": True, "default": False, "type": "Boolean"}
