#!/usr/bin/env bash
# Installs the programs that the tests run rolecall against, unless they are there:
# AWS CLI v2, fish, Node.js, PostgreSQL, SoftHSM, OpenSC's pkcs11-tool, kubectl, faketime, Valgrind,
# pkg-config and g++ as Debian packages; moto, AWS CLI v1, boto3, iam-rolesanywhere-session and pytest in
# a Python environment, and the AWS SDK for JavaScript in its folder `node`.
#
# usage: tests/peers/install.sh FOLDER      the environment's folder
set -euo pipefail
folder=${1:?usage: install.sh FOLDER}
here=$(dirname "$0")
requirements=$here/requirements.txt

say() { printf 'peers: %s\n' "$*" >&2; }

missing=()
/usr/bin/aws --version 2>/dev/null | grep -q '^aws-cli/2\.' || missing+=(awscli)
test -x /usr/bin/fish || missing+=(fish)
test -x /usr/bin/node || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
command -v softhsm2-util >/dev/null || missing+=(softhsm2)
command -v pkcs11-tool >/dev/null || missing+=(opensc)
# Google's package has the same program.
command -v kubectl >/dev/null || missing+=(kubernetes-client)
test -x /usr/bin/faketime || missing+=(faketime)
command -v valgrind >/dev/null || missing+=(valgrind)
command -v pkg-config >/dev/null || missing+=(pkg-config)
command -v g++ >/dev/null || missing+=(g++)
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)

if ((${#missing[@]})); then
    if ! command -v apt-get >/dev/null; then
        say "the tests need AWS CLI v2 as /usr/bin/aws, fish as /usr/bin/fish, Node.js as /usr/bin/node,"
        say "npm, Python's venv, PostgreSQL's server below /usr/lib/postgresql, SoftHSM 2, OpenSC's pkcs11-tool,"
        say "kubectl, and faketime as /usr/bin/faketime;"
        say "Valgrind, pkg-config and g++;"
        say "this is not a Debian system, so install them by hand. Missing: ${missing[*]}"
        exit 1
    fi
    if [[ $(id -u) != 0 ]]; then
        say "the tests need Debian packages that are missing. Install them with"
        say "    sudo apt-get update && sudo apt-get install ${missing[*]}"
        exit 1
    fi
    say "installing the Debian packages ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# The copy says for which requirements the environment was made.
made_for=$folder/requirements.txt
if ! cmp -s "$requirements" "$made_for" || ! "$folder/bin/python" -c '' 2>/dev/null; then
    say "making the Python environment $folder"
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$made_for"
fi

node=$folder/node
if ! cmp -s "$here/node/package-lock.json" "$node/made-for.json"; then
    say "installing the AWS SDK for JavaScript in $node"
    rm -rf "$node"
    mkdir -p "$node"
    cp "$here/node/package.json" "$here/node/package-lock.json" "$node"
    npm ci --prefix "$node" --no-audit --no-fund --ignore-scripts --loglevel=error >/dev/null
    cp "$here/node/package-lock.json" "$node/made-for.json"
fi
