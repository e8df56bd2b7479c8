# `just` lists the recipes.
default:
    @just --list

# Exactly what CI runs
[group('check')]
ci:
    bash .ci/run

# Format, then lint with and without the engine
[group('check')]
lint:
    cargo fmt
    cargo clippy --no-default-features --all-targets -- -D warnings
    cargo clippy --all-targets -- -D warnings

# Tests of everything but the engine: seconds
[group('test')]
quick:
    cargo test --no-default-features

# Tests with the real models; FOLDER holds the two test models as NAME.gguf
[group('test')]
test-models FOLDER:
    EVALH_TEST_MODELS={{ FOLDER }} EVALH_REQUIRE_MODELS=1 cargo test --release --test it -- real_ hostile:: families::

# Type-check the Metal build
[group('check')]
metal:
    bash .ci/metal-check

# Make the golden files again (each script names what it needs)
[group('test')]
golden:
    python3 tests/golden/dequant.py > tests/golden/dequant.json
    python3 tests/golden/templates.py > tests/golden/templates.json

# the kernels' tests on an emulated AArch64 processor
neon-check:
    bash .ci/neon-check
