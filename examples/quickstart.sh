#!/usr/bin/env bash
# rolecall against an AWS on loopback, in a folder that is thrown away. No AWS account is touched.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '  $ %s\n' "$*"; "$@" 2>&1 | sed 's/^/    /'; }

say "Building rolecall and an AWS to try it on (the first time takes a minute or two) …"
cargo build --quiet -p rolecall-cli -p rolecall-kit
target=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
PATH="$target/debug:$PATH"

folder=$(mktemp -d)
mkfifo "$folder/stop" "$folder/ready"
rolecall-kit < "$folder/stop" > "$folder/ready" &
exec 9> "$folder/stop" # the AWS stops when this closes, however this script ends
trap 'exec 9>&-; wait; rm -rf "$folder"' EXIT
read -r ready < "$folder/ready"
field() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/" <<< "$ready"; }
url=$(field url)

# Nothing of this machine's own settings is to take part.
for name in $(compgen -e | grep '^AWS_' || true); do unset "$name"; done
export HOME="$folder"
mkdir "$HOME/.aws"
python3 - "$url" > "$folder/token" <<'PYTHON'
import json, sys, urllib.request
asked = json.dumps({"sub": "system:serviceaccount:ci:builder", "aud": "sts.amazonaws.com"}).encode()
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
answer = opener.open(sys.argv[1] + "/_kit/web-identity-token", asked, timeout=10)
print(json.load(answer)["token"], end="")
PYTHON

cat > "$HOME/.aws/config" <<CONFIG
[profile alice]
aws_access_key_id = $(field access_key_id)
aws_secret_access_key = $(field secret_access_key)

[profile hop]
role_arn = $(field Hop)
source_profile = alice

[profile deploy]
role_arn = $(field Deploy)
source_profile = hop
region = eu-west-1
endpoint_url = $url

[profile ci]
role_arn = $(field Web)
web_identity_token_file = $folder/token
region = eu-west-1
endpoint_url = $url
CONFIG

say "1. A config file with a user, a role in another account, and a role behind that role:"
sed -n '1,13p' "$HOME/.aws/config" | sed 's/\(secret_access_key = \).*/\1…/; s/^/    /'

say "2. What would happen, without asking anybody:"
run rolecall explain --profile deploy

say "3. Credentials of the last role. Two calls to AWS were made; the next time there are none:"
run rolecall export --profile deploy --format env | cut -c1-100

say "4. A command that has them in its environment, proven by asking AWS who is calling:"
run rolecall exec --profile deploy -- rolecall whoami --endpoint-url "$url"

say "5. The same for a CI job with a web identity token and no key at all:"
run rolecall exec --profile ci -- rolecall whoami --endpoint-url "$url"

say "6. And when something is wrong, it says what and where:"
printf '[profile typo]\nrole_arn = %s\nsource_profile = alcie\n' "$(field Hop)" >> "$HOME/.aws/config"
run rolecall explain --profile typo || true

say "That was all: the folder is gone now. Your own profiles: target/debug/rolecall explain --profile NAME"
