#!/usr/bin/env bash
# Builds the wheel, with the program `rolecall` in its scripts folder.
#
# usage: python/build.sh PROFILE FOLDER      cargo's profile (dev, release), where the wheel is put
#
# MATURIN is the program maturin, CARGO is cargo; more arguments go to maturin.
set -euo pipefail
profile=${1:?usage: build.sh PROFILE FOLDER}
folder=${2:?usage: build.sh PROFILE FOLDER}
shift 2
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../target}
built=$target/${profile/#dev/debug}/rolecall

# The program is taken as it was built; a release is built here.
if [[ $profile != dev ]]; then
    "${CARGO:-cargo}" build --locked --profile "$profile" --package rolecall-cli \
        --manifest-path "$here/../Cargo.toml"
fi
scripts=$here/rolecall.data/scripts
mkdir -p "$scripts"
strip -o "$scripts/rolecall" "$built"
chmod 755 "$scripts/rolecall"

"${MATURIN:-maturin}" build --quiet --locked --manifest-path "$here/Cargo.toml" --profile "$profile" \
    --strip true --out "$folder" "$@"
