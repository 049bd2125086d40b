# `make help` lists what there is to do.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CARGO ?= cargo
# Where `make install` puts the program: $(DESTDIR)$(PREFIX)/bin
PREFIX ?= /usr/local
DESTDIR ?=
# How long `make fuzz` runs each target.
SECONDS ?= 60
# More arguments for pytest, e.g. PYTEST='-k cache'
PYTEST ?=

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
PEERS := $(TARGET)/peers

# `make -j test` too runs one thing after the other: cargo uses every core anyway.
.NOTPARALLEL:
.PHONY: help run test peers test-rust test-peers test-python doc-python bench fuzz install lint doc

help: ## list the targets
	@echo 'make TARGET, where TARGET is one of'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "    %-12s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: ## see it work against an AWS on loopback: three minutes, no AWS account
	@examples/quickstart.sh

test: peers lint doc test-rust test-peers test-python ## everything that CI runs; installs what it needs

peers: ## install AWS CLI, moto, boto3, fish and pytest for the tests
	@tests/peers/install.sh $(PEERS)

lint: ## formatting and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

doc: ## the library's documentation, in target/doc
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --workspace --no-deps

test-rust: ## the tests in Rust
	$(CARGO) test --locked --workspace

test-peers: peers ## the tests with AWS CLI, moto, boto3 and shells
# With --tests the features are those of `cargo test`, so nothing is built twice.
	$(CARGO) build --locked --workspace --bins --tests
	CARGO_TARGET_DIR=$(TARGET) $(PEERS)/bin/python -B -m pytest tests/peers $(PYTEST)

test-python: peers ## the wheel, installed by itself, and its tests
	$(CARGO) build --locked --workspace --bins --tests
	CARGO_TARGET_DIR=$(TARGET) python/tests/install.sh $(PEERS) $(TARGET)/python
	CARGO_TARGET_DIR=$(TARGET) PYTHONPATH=$$($(PEERS)/bin/python -c \
	    'import sysconfig; print(sysconfig.get_path("purelib"))') \
	    $(TARGET)/python/bin/python -B -m pytest python/tests $(PYTEST)

doc-python: test-python ## the reference for Python, in target/python/doc
	PYTHONPATH=$$($(PEERS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
	    $(TARGET)/python/bin/python -B -m pdoc rolecall rolecall.boto3 --output-directory $(TARGET)/python/doc

bench: ## speed, compared with AWS CLI and others in the same run
	@benches/run.sh

fuzz: ## feed random input to the parsers; SECONDS=60 for each target
	@$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-fuzz
	@cd fuzz && for target in $$(RUSTC_BOOTSTRAP=1 $(CARGO) fuzz list); do \
	    echo "== $$target"; \
	    RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run "$$target" -- -max_total_time=$(SECONDS); \
	done

install: ## build for release, and install into PREFIX (/usr/local), below DESTDIR
	$(CARGO) build --locked --release --package rolecall-cli
	install -d '$(DESTDIR)$(PREFIX)/bin'
	install -m 755 '$(TARGET)/release/rolecall' '$(DESTDIR)$(PREFIX)/bin/rolecall'
