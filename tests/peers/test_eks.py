"""`eks get-token` and `eks update-kubeconfig` beside AWS CLI's, and under a real kubectl."""

import json
from pathlib import Path

import pytest
import yaml

from programs import AWS, FAKETIME, KUBECTL, ROLECALL, ROOT, Kit

CLUSTER = "prod"
ARN = "arn:aws:eks:us-east-1:111111111111:cluster/prod"
CONFORMANCE = ROOT.parent / "shared" / "conformance" / "kubeconfig"
if not CONFORMANCE.is_dir():
    raise pytest.UsageError(f"{CONFORMANCE} is missing: CONTRIBUTING.md says where it comes from")
AT_NOON = [FAKETIME, "-f", "2026-01-01 12:34:56"]
KEYS = {
    "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG",
    "AWS_SESSION_TOKEN": "FQoGZXIvYXdzEPT//////////wEXAMPLE+/token==",
}
V1ALPHA1 = json.dumps({"apiVersion": "client.authentication.k8s.io/v1alpha1"})


@pytest.fixture(scope="module")
def tls_kit(tmp_path_factory):
    kit = Kit(tmp_path_factory.mktemp("tls-kit"), "--tls")
    yield kit
    kit.stop()


@pytest.fixture
def eks_home(home, tls_kit):
    """A home whose STS and EKS are the kit, and whose clusters speak TLS."""
    tls_kit.post("reset", sessions=True, world=True)
    home.use_sts(tls_kit.url)
    home.env["AWS_ENDPOINT_URL_EKS"] = tls_kit.url
    home.static_profile("user", tls_kit.key, tls_kit.secret)
    home.env["AWS_PROFILE"] = "user"
    home.env["PATH"] = f"{Path(ROLECALL).parent}:/usr/bin:/bin"
    return home


def get_token(home, program, *arguments, env=None):
    """Standard output and error, at noon."""
    done = home.run_anyhow(*AT_NOON, program, *arguments, env={**KEYS, **(env or {})})
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("region, cluster", [
    ("us-east-1", ["--cluster-name", "prod"]),
    ("eu-central-1", ["--cluster-id", "d3adbeef-0000"]),
    ("cn-north-1", ["--cluster-name", "prod"]),
])
def test_tokens_are_those_of_aws_cli(home, region, cluster):
    arguments = ["--region", region, "eks", "get-token", *cluster]
    ours, _ = get_token(home, ROLECALL, *arguments)
    v1, _ = get_token(home, AWS["v1"], *arguments, "--output", "json")
    assert ours == v1
    v2, _ = get_token(home, AWS["v2"], *arguments)
    assert json.loads(ours) == json.loads(v2)
    only, _ = get_token(home, ROLECALL, *arguments, "--token-only")
    assert only == json.loads(v2)["status"]["token"] + "\n"


def test_tokens_of_long_lived_keys_are_those_of_aws_cli(home):
    keys = {"AWS_SESSION_TOKEN": ""}
    arguments = ["eks", "get-token", "--cluster-name", "prod"]
    assert get_token(home, ROLECALL, *arguments, env=keys) \
        == get_token(home, AWS["v1"], *arguments, "--output", "json", env=keys)


@pytest.mark.parametrize("info", [
    None, "{", V1ALPHA1, V1ALPHA1.replace("v1alpha1", "v1beta1"), V1ALPHA1.replace("v1alpha1", "v1"),
    V1ALPHA1.replace("v1alpha1", "v9"), "{}",
])
def test_versions_and_warnings_are_those_of_aws_cli(home, info):
    env = {"KUBERNETES_EXEC_INFO": info} if info else {}
    arguments = ["eks", "get-token", "--cluster-name", "prod"]
    ours, said = get_token(home, ROLECALL, *arguments, env=env)
    theirs, they_said = get_token(home, AWS["v1"], *arguments, "--output", "json", env=env)
    assert ours == theirs
    # But for the program that is to be brought up to date.
    they_said = they_said.replace("outdated AWS CLI", "outdated rolecall")
    they_said = they_said.replace("update your AWS CLI", "update rolecall")
    they_said = they_said.replace("'aws eks", "'rolecall eks")
    assert said.removeprefix("rolecall: ") == they_said


def update(home, program, path, *arguments):
    return home.run(program, "eks", "update-kubeconfig", "--name", CLUSTER,
                    "--kubeconfig", str(path), *arguments)


@pytest.mark.parametrize("flags", [
    [],
    ["--alias", "production"],
    ["--alias", "123", "--user-alias", "yes"],
    ["--role-arn", "arn:aws:iam::111111111111:role/team/Admin"],
    ["--proxy-url", "socks5://127.0.0.1:1080"],
    ["--verbose"],
    ["--dry-run"],
    ["--dry-run", "--alias", "a b: c"],
])
def test_a_new_file_says_what_that_of_aws_cli_says(eks_home, flags):
    ours, theirs = eks_home.path / "ours", eks_home.path / "theirs"
    said = update(eks_home, ROLECALL, ours, *flags)
    they_said = update(eks_home, AWS["v1"], theirs, *flags)
    assert said.replace(str(ours), str(theirs)) == they_said or "123" in flags or "a b: c" in flags
    if "--dry-run" in flags:
        assert not ours.exists() and not theirs.exists()
        assert yaml.safe_load(said) == yaml.safe_load(they_said)
        return
    assert yaml.safe_load(ours.read_text()) == yaml.safe_load(theirs.read_text())
    if "123" not in flags:
        assert ours.read_text() == theirs.read_text()
    assert ours.stat().st_mode & 0o777 == 0o600


def test_debians_aws_cli_says_the_same_in_fewer_arguments(eks_home, tls_kit):
    ours, theirs = eks_home.path / "ours", eks_home.path / "theirs"
    update(eks_home, ROLECALL, ours)
    update(eks_home, AWS["v2"], theirs, "--endpoint-url", tls_kit.url)
    text = ours.read_text().replace("      - --output\n      - json\n", "")
    assert text == theirs.read_text()


@pytest.mark.parametrize("name", sorted(path.name for path in CONFORMANCE.iterdir()))
def test_files_of_others_say_afterwards_what_aws_cli_makes_them_say(eks_home, name):
    before = (CONFORMANCE / name).read_text()
    ours, theirs = (eks_home.write(path, before) for path in ["ours", "theirs"])
    arguments = ["eks", "update-kubeconfig", "--name", CLUSTER, "--kubeconfig"]
    we = eks_home.run_anyhow(ROLECALL, *arguments, str(ours))
    they = eks_home.run_anyhow(AWS["v1"], *arguments, str(theirs))
    assert (we.returncode == 0) == (they.returncode == 0), (we.stderr, they.stderr)
    assert yaml.safe_load(ours.read_text()) == yaml.safe_load(theirs.read_text())
    # AWS CLI writes what it has read: its files are in its own form already.
    if name != "valid_null_context":
        assert ours.read_text() == theirs.read_text()
    if we.returncode:
        assert ours.read_text() == before


def kubectl(home, *arguments, **how):
    return home.run(KUBECTL, "--request-timeout=30s", *arguments, **how)


@pytest.mark.parametrize("command", ["rolecall", "aws"])
def test_kubectl_reads_the_file_and_sends_the_token(eks_home, tls_kit, command):
    if command == "aws":
        # AWS CLI v1, which takes the endpoint of STS from the environment.
        eks_home.env["PATH"] = f"{Path(AWS['v1']).parent}:/usr/bin:/bin"
    eks_home.run(ROLECALL, "eks", "update-kubeconfig", "--name", CLUSTER, "--command", command)
    shown = kubectl(eks_home, "get", "namespaces")
    assert shown.split()[::2] == ["NAME", "default", "kube-system"]
    calls = [call for call in tls_kit.get("calls") if call["service"] == "kubernetes"]
    assert {call["principal"] for call in calls} == {"arn:aws:iam::111111111111:user/alice"}
    assert {call["status"] for call in calls} <= {200, 404}
    assert kubectl(eks_home, "config", "current-context").strip() == ARN


def test_kubectl_with_a_role_and_an_alias(eks_home, tls_kit):
    eks_home.run(ROLECALL, "eks", "update-kubeconfig", "--name", CLUSTER, "--command", "rolecall",
                 "--role-arn", tls_kit.roles["Hop"], "--alias", "production")
    kubectl(eks_home, "--context", "production", "get", "namespaces")
    calls = [call for call in tls_kit.get("calls") if call["service"] == "kubernetes"]
    assert {call["principal"] for call in calls} == {
        "arn:aws:sts::222222222222:assumed-role/Hop/EKSGetTokenAuth"}
    # kubectl asks for a token once a process; the role's session is kept between them.
    kubectl(eks_home, "get", "namespaces")
    assert tls_kit.count("AssumeRole") == 1


def test_kubectl_is_told_no_by_a_cluster_that_does_not_know_the_caller(eks_home, tls_kit):
    eks_home.role_profile("deploy", tls_kit.roles["Deploy"], "user")
    eks_home.run(ROLECALL, "--profile", "deploy", "eks", "get-token", "--cluster-name", CLUSTER)
    eks_home.run(ROLECALL, "eks", "update-kubeconfig", "--name", CLUSTER, "--command", "rolecall")
    config = eks_home.path / ".kube" / "config"
    config.write_text(config.read_text().replace("value: user", "value: deploy"))
    said = kubectl(eks_home, "get", "namespaces", expect=1)
    assert "Unauthorized" in said or "must be logged in" in said
    reasons = {call["params"].get("refused_because", "") for call in tls_kit.get("calls")
               if call["service"] == "kubernetes"}
    assert any("has no access" in reason for reason in reasons), reasons


# As `kubectl config set-cluster`, `set-credentials` and `set-context` write it. Debian's kubectl panics
# when it has to encode a map, so it cannot do so itself.
BY_KUBECTL = """\
apiVersion: v1
clusters:
- cluster:
    server: https://other.test
  name: other
contexts:
- context:
    cluster: other
    user: me
  name: work
current-context: work
kind: Config
preferences: {}
users:
- name: me
  user:
    token: abc
"""


def test_files_of_kubectl_are_kept_and_kubectl_reads_them(eks_home):
    config = eks_home.write(".kube/config", BY_KUBECTL)
    before = yaml.safe_load(BY_KUBECTL)
    update_production = ["eks", "update-kubeconfig", "--name", CLUSTER, "--alias", "production"]
    eks_home.run(ROLECALL, *update_production)
    after = yaml.safe_load(config.read_text())
    for part in ["clusters", "contexts", "users"]:
        assert after[part][0] == before[part][0] and len(after[part]) == 2
    # As `kubectl config set-context --current --namespace=shop` does.
    config.write_text(config.read_text().replace("  name: production",
                                                 "    namespace: shop\n  name: production"))
    eks_home.run(ROLECALL, *update_production)
    assert "namespace: shop" in config.read_text()
    names = kubectl(eks_home, "config", "get-contexts", "-o", "name").split()
    assert sorted(names) == ["production", "work"]
