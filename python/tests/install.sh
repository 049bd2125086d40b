#!/usr/bin/env bash
# Installs the wheel of this build in an environment that has nothing else.
#
# usage: python/tests/install.sh PEERS FOLDER      where maturin and pip are, the environment's folder
set -euo pipefail
peers=${1:?usage: install.sh PEERS FOLDER}
folder=${2:?usage: install.sh PEERS FOLDER}
here=$(cd "$(dirname "$0")" && pwd)

rm -rf "$folder"
mkdir -p "$folder/wheels"
# What is read from where it was built need not be small or run elsewhere.
MATURIN=$peers/bin/maturin "$here/../build.sh" dev "$folder/wheels" \
    --compression-method stored --auditwheel skip
python3 -m venv --without-pip "$folder"
"$peers/bin/python" -m pip --python "$folder/bin/python" install --quiet --no-deps --no-index \
    --disable-pip-version-check "$folder"/wheels/*.whl
