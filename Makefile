# What carries the events in the demo: embedded (no JVM needed) or kafka (a real Apache Kafka).
BROKER ?= embedded
# The major version of PostgreSQL that the tests run on: 17 or 18; the installed one unless it is given.
POSTGRES ?=
# A cargo that rustup has put into the home directory may not be on the PATH yet.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin

.PHONY: help demo test bench fmt lint

help:
	@echo 'make demo                 build, start everything, run every scenario, judge'
	@echo 'make demo BROKER=kafka    the same on a real Apache Kafka'
	@echo 'make test                 every test, against real PostgreSQL and Apache Kafka'
	@echo 'make test POSTGRES=18     the same on PostgreSQL 17 or 18, which it fetches'
	@echo 'make bench                every figure, beside its floor and the naive way; pictures'
	@echo 'make fmt, make lint       format the code, let clippy look at it'

demo:
	@scenarios/setup.sh $(BROKER)
	cargo build --release --workspace
	target/release/scenarios run all --broker $(BROKER)

test:
	@scenarios/setup.sh kafka $(POSTGRES)
	cargo build --workspace --features scenarios/crash-points
	target/debug/scenarios exec --broker kafka $(if $(POSTGRES),--postgres $(POSTGRES)) -- cargo test --workspace --no-fail-fast --features scenarios/crash-points

bench:
	@scenarios/setup.sh kafka
	cargo build --release --workspace
	target/release/scenarios bench all

fmt:
	cargo fmt

lint:
	cargo clippy --workspace --all-targets -- -D warnings
