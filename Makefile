# `make help` lists what there is to do.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CARGO ?= cargo
# Where `make install` puts the program: $(DESTDIR)$(PREFIX)/bin
PREFIX ?= /usr/local
DESTDIR ?=
# And the library: $(DESTDIR)$(LIBDIR), with its header in $(DESTDIR)$(INCLUDEDIR)
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
OBJCOPY ?= objcopy
# How long `make fuzz` runs each target.
SECONDS ?= 60
# More arguments for pytest, e.g. PYTEST='-k cache'
PYTEST ?=

# Those of the library.
FEATURES := eks roles-anywhere pkcs11 serve leases postgres

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
PEERS := $(TARGET)/peers
# Where what is installed was built.
BUILT ?= $(TARGET)/release
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
# As ffi/build.rs names the library: before 1.0 each minor version is another one.
SO_VERSION := $(shell echo $(VERSION) | sed 's/^\(0\.[0-9]*\|[1-9][0-9]*\).*/\1/')

# `make -j test` too runs one thing after the other: cargo uses every core anyway.
.NOTPARALLEL:
.PHONY: help run test peers test-rust test-peers test-python wheel doc-python test-c bench fuzz header install install-c-files lint doc

help: ## list the targets
	@echo 'make TARGET, where TARGET is one of'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "    %-12s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: ## see it work against an AWS on loopback: three minutes, no AWS account
	@examples/quickstart.sh

test: peers lint doc test-rust test-peers test-python test-c ## everything that CI runs; installs what it needs

peers: ## install AWS CLI, moto, boto3, fish and pytest for the tests
	@tests/peers/install.sh $(PEERS)

lint: ## formatting and lints, of the library with each feature alone too
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	for feature in '' $(FEATURES); do \
	    $(CARGO) clippy --locked --package rolecall --features "$$feature" -- -D warnings; \
	done

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

wheel: ## the wheel for Python with the program, for release, in target/wheels; takes maturin
	CARGO_TARGET_DIR=$(TARGET) CARGO=$(CARGO) python/build.sh release $(TARGET)/wheels

doc-python: test-python ## the reference for Python, in target/python/doc
	PYTHONPATH=$$($(PEERS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
	    $(TARGET)/python/bin/python -B -m pdoc rolecall rolecall.boto3 --output-directory $(TARGET)/python/doc

test-c: peers ## the tests of librolecall, in C, C++ and Python
# Again the features of `cargo test`, here with the libraries.
	$(CARGO) build --locked --workspace --lib --bins --tests
	CARGO_TARGET_DIR=$(TARGET) $(PEERS)/bin/python -B -m pytest ffi/tests $(PYTEST)

header: ## write ffi/include/rolecall.h anew
	WRITE_HEADER=1 $(CARGO) test --locked --package rolecall-ffi --test header

bench: ## speed, compared with AWS CLI and others in the same run
	@benches/run.sh

fuzz: ## feed random input to the parsers; SECONDS=60 for each target
	@$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-fuzz
	@cd fuzz && for target in $$(RUSTC_BOOTSTRAP=1 $(CARGO) fuzz list); do \
	    echo "== $$target"; \
	    RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run "$$target" -- -max_total_time=$(SECONDS); \
	done

install: ## build for release, and install into PREFIX (/usr/local), below DESTDIR
	$(CARGO) build --locked --release --package rolecall-cli --package rolecall-ffi
	install -d '$(DESTDIR)$(PREFIX)/bin'
	install -m 755 '$(BUILT)/rolecall' '$(DESTDIR)$(PREFIX)/bin/rolecall'
	@$(MAKE) install-c-files
# The loader finds a new library in $(LIBDIR) by its cache, which only root may write.
	@if test -z '$(DESTDIR)' && test "$$(id -u)" = 0; then \
	    PATH="$$PATH:/sbin:/usr/sbin" ldconfig || \
	    echo 'programs do not find librolecall.so until ldconfig has run'; \
	fi

# The static library as one object, of which programs see what the header says: SQLite, ring and Rust
# would else clash with a program's own.
$(BUILT)/c/librolecall.a: $(BUILT)/librolecall.a
	mkdir -p '$(@D)'
	$(LD) -r --force-group-allocation --whole-archive '$<' -o '$(@D)/rolecall.o'
	$(OBJCOPY) --wildcard --keep-global-symbol='rolecall_*' \
	    --remove-section=.llvmbc --remove-section=.llvmcmd '$(@D)/rolecall.o'
	rm -f '$@'
	$(AR) crs '$@' '$(@D)/rolecall.o'
	rm '$(@D)/rolecall.o'

install-c-files: $(BUILT)/c/librolecall.a
	install -d '$(DESTDIR)$(INCLUDEDIR)' '$(DESTDIR)$(LIBDIR)/pkgconfig'
	install -m 644 ffi/include/rolecall.h '$(DESTDIR)$(INCLUDEDIR)/rolecall.h'
	install -m 644 '$(BUILT)/c/librolecall.a' '$(DESTDIR)$(LIBDIR)/librolecall.a'
	install -m 755 '$(BUILT)/librolecall.so' '$(DESTDIR)$(LIBDIR)/librolecall.so.$(VERSION)'
	ln -sf 'librolecall.so.$(VERSION)' '$(DESTDIR)$(LIBDIR)/librolecall.so.$(SO_VERSION)'
	ln -sf 'librolecall.so.$(SO_VERSION)' '$(DESTDIR)$(LIBDIR)/librolecall.so'
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
	    -e 's|@VERSION@|$(VERSION)|' ffi/rolecall.pc.in > '$(DESTDIR)$(LIBDIR)/pkgconfig/rolecall.pc'
	chmod 644 '$(DESTDIR)$(LIBDIR)/pkgconfig/rolecall.pc'
