# Every target works from a clean clone; `make` alone lists them.

TARGET := $(or $(CARGO_TARGET_DIR),target)
# One set of packages, features and profile for everything, so that nothing is built twice.
EVERYTHING := --workspace --all-targets --locked

.DEFAULT_GOAL := help
.PHONY: help run smoke synth image test tools test-tools test-aws bench bench-tools bench-crl fuzz

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: tools ## start postern on 127.0.0.1:8443 in front of a private API, with development certificates
	cargo build --workspace --bins --locked
	@exec $(TARGET)/debug/playground

smoke: ## call what `make run` started with curl, as each kind of client
	@tests/smoke.sh

# The test runner comes last, so that its summary is the end of the output.
test: tools test-tools test-aws image synth ## prove everything: format, lints, documentation, unit tests, scenarios, smoke test
	cargo fmt --all --check
	cargo clippy $(EVERYTHING) -- -D warnings
	cargo clippy -p crl-tool --no-default-features --features cli --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked
	cargo build $(EVERYTHING)
	cargo test --workspace --doc --locked
	@if cargo nextest --version >/dev/null 2>&1; then \
		set -x; cargo nextest run $(EVERYTHING) --config-file tests/nextest.toml; \
	else \
		set -x; cargo test $(EVERYTHING); \
	fi

# What is deployed, for the scenarios, too.
image: tools test-tools ## build the images of postern and crl-tool, and crl-tool's zip file for Lambda: target/image
	deploy/images.sh $(TARGET)

# Templates for the scenarios, and everything that can be said about them without AWS.
synth: test-tools ## synthesize and check deploy/: every example, its tests, cdk-nag, cfn-lint, checkov
	deploy/synth.sh $(TARGET)
	cd deploy && node_modules/.bin/vitest run
	$(TARGET)/venv/bin/cfn-lint '$(TARGET)/cdk/*/*.template.json'
	$(TARGET)/venv/bin/checkov --framework cloudformation --skip-download --quiet --compact --directory $(TARGET)/cdk

# Half an hour. For less of it: `make bench PEERS='--only http2 --rounds 4'`; every command says with --help what it takes.
PEERS :=
bench: bench-tools ## measure the proxy beside nginx, haproxy and Envoy: handshakes, requests, bodies, memory, big CRLs
	cargo build --workspace --bins --release --locked
	$(TARGET)/release/bench peers $(PEERS) --json $(TARGET)/bench-peers.json
	$(TARGET)/release/bench plot $(TARGET)/bench-peers.json $(TARGET)/bench-peers.svg
	$(TARGET)/release/bench swap --json $(TARGET)/bench-swap.json
	$(TARGET)/release/bench bulk --json $(TARGET)/bench-bulk.json
	$(TARGET)/release/bench slow-body --json $(TARGET)/bench-slow-body.json
	$(TARGET)/release/bench instructions --json $(TARGET)/bench-instructions.json

bench-crl: ## measure crl-tool on CRLs of 10 thousand, 1 million and 10 million entries, beside others
	cargo bench -p crl-tool --bench crl --locked

# The binaries with the AWS SDK, for the scenarios that need it. They are put aside, as the next build takes their place.
WITH_AWS := -p crl-tool -p postern -p certs --features crl-tool/lambda,postern/aws,certs/aws --locked
test-aws: tools
	cargo fmt --all --check
	cargo clippy $(WITH_AWS) --all-targets -- -D warnings
	cargo build $(WITH_AWS)
	@install -D -C $(TARGET)/debug/crl-tool $(TARGET)/aws/crl-tool
	@install -D -C $(TARGET)/debug/postern $(TARGET)/aws/postern
	@install -D -C $(TARGET)/debug/certs $(TARGET)/aws/certs

# The sanitizer and the fuzzer need a nightly compiler; the same bodies run in `make test` without either.
TARGETS := crl delta certificate index
SECONDS := 60
FUZZ := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
	-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Coverflow-checks \
	-Zsanitizer=address --cfg fuzzing
fuzz: ## fuzz the readers of crl-tool; SECONDS=60 each, TARGETS="crl delta certificate index"
	cd crl-tool/fuzz && RUSTFLAGS='$(FUZZ)' CARGO_TARGET_DIR=$(abspath $(TARGET))/fuzz \
		cargo +nightly build --release --target x86_64-unknown-linux-gnu --locked
	@cd crl-tool/fuzz && for target in $(TARGETS); do \
		corpus=$(abspath $(TARGET))/fuzz/corpus/$$target; mkdir -p $$corpus; \
		echo "make: $$target for $(SECONDS) s" >&2; \
		$(abspath $(TARGET))/fuzz/x86_64-unknown-linux-gnu/release/$$target -max_total_time=$(SECONDS) -max_len=16384 \
			-print_final_stats=1 -artifact_prefix=$(abspath $(TARGET))/fuzz/$$target- \
			$$corpus seeds/$$target ../tests/golden || exit 1; \
	done

test-tools:
	@tests/tools.sh $(TARGET)

bench-tools:
	@tests/tools.sh $(TARGET) valgrind:valgrind

tools:
	@for tool in cargo cc curl openssl; do \
		command -v $$tool >/dev/null || { echo "make: $$tool is needed: install it first" >&2; exit 1; }; \
	done
