#!/usr/bin/env bash
# Every figure of docs/performance.md, on this machine, in one run.
set -euo pipefail
cd "$(dirname "$0")/.."

make --no-print-directory peers
for tool in hey hyperfine time wrk; do
    type -P "$tool" > /dev/null || apt-get install --yes --quiet "$tool" > /dev/null
done
cargo build --release -p rolecall-cli -p rolecall-ffi -p rolecall-kit
mkdir -p target/bench
rustc -O benches/empty.rs -o target/bench/empty
make --no-print-directory "$PWD/target/release/c/librolecall.a" > /dev/null
gcc -O2 -Iffi/include benches/memory.c -o target/bench/memory target/release/c/librolecall.a \
    -lgcc_s -lutil -lrt -lpthread -lm -ldl
target/bench/memory
stat --format='%n: %s bytes' target/release/librolecall.so target/release/c/librolecall.a
cargo bench -p rolecall --bench memory -- --quiet
cargo bench -p rolecall-secrets --bench leases
cargo bench -p rolecall-rolesanywhere --bench signing -- --quiet
python3 benches/processes.py
python3 benches/eks.py
python3 benches/sources.py
python3 benches/roles_anywhere.py
python3 benches/serve.py
rm -rf target/bench/python
MATURIN=target/peers/bin/maturin python/build.sh release target/bench/python/wheels
python3 -m venv --without-pip target/bench/python
target/peers/bin/python -m pip --python target/bench/python/bin/python install --quiet --no-deps --no-index target/bench/python/wheels/*.whl
python3 benches/python.py target/bench/python/bin/python target/peers/bin/python
