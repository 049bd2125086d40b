#!/usr/bin/env bash
# Every figure of docs/performance.md that is no test's, on this machine, in one run.
set -euo pipefail
cd "$(dirname "$0")/.."
CARGO_TARGET_DIR=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
export CARGO_TARGET_DIR
built=$CARGO_TARGET_DIR/release
peers=$CARGO_TARGET_DIR/peers
bench=$CARGO_TARGET_DIR/bench

make --no-print-directory peers
for tool in hey hyperfine time wrk; do
    type -P "$tool" > /dev/null || apt-get install --yes --quiet "$tool" > /dev/null
done
cargo build --release -p rolecall-cli -p rolecall-ffi -p rolecall-kit
mkdir -p "$bench"
rustc -O benches/empty.rs -o "$bench/empty"
make --no-print-directory "BUILT=$built" "$built/c/librolecall.a" > /dev/null
gcc -O2 -Iffi/include benches/memory.c -o "$bench/memory" "$built/c/librolecall.a" \
    -lgcc_s -lutil -lrt -lpthread -lm -ldl
"$bench/memory"
stat --format='%n: %s bytes' "$built/librolecall.so" "$built/c/librolecall.a"
cargo bench -p rolecall --bench memory -- --quiet
cargo bench -p rolecall-secrets --bench leases
cargo bench -p rolecall-rolesanywhere --bench signing -- --quiet
cargo run --release -p rolecall-sts --example identity_speed
python3 benches/processes.py
python3 benches/eks.py
python3 benches/sources.py
python3 benches/roles_anywhere.py
python3 benches/serve.py
rm -rf "$bench/python"
MATURIN=$peers/bin/maturin python/build.sh release "$bench/python/wheels"
python3 -m venv --without-pip "$bench/python"
"$peers/bin/python" -m pip --python "$bench/python/bin/python" install --quiet --no-deps --no-index \
    "$bench"/python/wheels/*.whl
python3 benches/python.py "$bench/python/bin/python" "$peers/bin/python"
