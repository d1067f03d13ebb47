# Broker of the demo: embedded (no JVM needed) or kafka (a real Apache Kafka).
BROKER ?= embedded
# Major version of PostgreSQL for the tests, 17 or 18; empty: the installed one.
POSTGRES ?=
# Tools of the supply chain (docs/security/supply-chain.md), installed when they are asked for.
CARGO_DENY := 0.20.2
CARGO_CYCLONEDX := 0.5.9
# rustup may have installed cargo in the home directory, which may not be on the PATH yet.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin

.PHONY: help demo test bench mutants asyncapi deny advisories sbom fmt lint

help:
	@echo 'make demo                 build, start everything, run every scenario, judge'
	@echo 'make demo BROKER=kafka    the same on a real Apache Kafka'
	@echo 'make test                 every test, against real PostgreSQL and Apache Kafka'
	@echo 'make test POSTGRES=18     the same on PostgreSQL 17 or 18, which it fetches'
	@echo 'make bench                every figure, beside its baseline and the naive way; charts'
	@echo 'make mutants              change the decisions, one place at a time; a test has to fail (docs/mutants.md)'
	@echo 'make asyncapi             let the official parser read the AsyncAPI document (needs Node.js and npm)'
	@echo 'make deny                 licences, bans and sources of all crates (deny.toml); make advisories: known vulnerabilities'
	@echo 'make sbom                 a list of what each program is made of, CycloneDX, in target/sbom'
	@echo 'make fmt, make lint       format the code, run clippy, ask for the kept schemas of events to be up to date'

demo:
	@scenarios/setup.sh $(BROKER)
	cargo build --release --workspace --exclude trip
	target/release/scenarios run all --broker $(BROKER)

test:
	@scenarios/setup.sh kafka $(POSTGRES)
	cargo test --workspace --features scenarios/crash-points --no-run
	target/debug/scenarios exec --broker kafka $(if $(POSTGRES),--postgres $(POSTGRES)) -- cargo test --workspace --no-fail-fast --features scenarios/crash-points

bench:
	@scenarios/setup.sh kafka
	cargo build --release --workspace --exclude trip
	target/release/scenarios bench all

# Each line rebuilds its tests for each mutant and takes a few minutes.
mutants:
	cargo mutants -p account -f services/account/src/domain.rs -- --lib
	cargo mutants -p inventory -f services/inventory/src/domain.rs -- --lib
	cargo mutants -p shipping -f services/shipping/src/domain.rs -- --lib
	cargo mutants -p entitlement -f services/entitlement/src/domain.rs -- --lib
	cargo mutants -p notification -f 'services/notification/src/{domain,letter,amount}.rs' -- --lib --test decisions --test letters
	cargo mutants -p order -f 'services/order/src/{domain,purchase,fulfilment,quote,fingerprint,history,status,command}.rs' -- --lib --test domain
	cargo mutants -p payment -f 'services/payment/src/{domain,lifecycle,phase,reply,method,calls}.rs' -- --lib --test payment
	cargo mutants -p saga -f 'saga/src/{barrier,rows}.rs' -- --lib

asyncapi:
	cargo build --package scenarios
	operations/tests/asyncapi/parse.sh target/debug/scenarios

deny:
	@cargo deny --version 2>/dev/null | grep -qx 'cargo-deny $(CARGO_DENY)' || cargo install cargo-deny --locked --version $(CARGO_DENY)
	cargo deny --locked check bans licenses sources

# Fetches the advisory database; OFFLINE=--offline uses the one that was fetched before, or was put in its place.
advisories: deny
	cargo deny --locked $(OFFLINE) check advisories

sbom:
	@cargo cyclonedx --version 2>/dev/null | grep -qx 'cargo-cyclonedx-cyclonedx $(CARGO_CYCLONEDX)' || cargo install cargo-cyclonedx --locked --version $(CARGO_CYCLONEDX)
	cargo cyclonedx --quiet --format json --spec-version 1.5 --describe binaries --no-build-deps
	@rm -rf target/sbom && mkdir -p target/sbom
	@find services outbox-relay scenarios examples -name '*_bin.cdx.json' | while read -r file; do name=$${file##*/}; mv "$$file" "target/sbom/$${name%_bin.cdx.json}.cdx.json"; done
	@ls target/sbom

fmt:
	cargo fmt

lint:
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --package saga --no-default-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --package outbox --package transport --package process --package access --package sealing --package personal-data --package saga --package outbox-relay --package audit-log --package saga-lint --package saga-schema --package saga-check
	cargo test --package operations --test schemas -- --ignored
