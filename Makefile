# Kulanz: what there is to run. `make` alone prints this list.

TARGET := $(or $(CARGO_TARGET_DIR),target)
# Passed on to `make demo` and `make bench`, for example: make demo ARGS=--exit
ARGS ?=

.PHONY: help demo build test lint fmt bench bench-cluster docs schemas clean
.DEFAULT_GOAL := help

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Unoptimised and without Kafka: a newcomer waits for the compiler, not for the demo, and needs
# neither OpenSSL's headers nor the minutes that librdkafka takes.
demo: ## Build Kulanz and start it with an invented shop (ARGS=--exit: run through and stop)
	@echo "Building Kulanz. The first time this takes some minutes; cargo shows how far it is."
	cargo build --locked -p kulanz --no-default-features
	$(TARGET)/debug/kulanz demo $(ARGS)

build: ## Build the release binary
	cargo build --release --locked -p kulanz

test: ## Install what the tests need and run all of them
	@bash tests/tools/test.sh

lint: ## Check format, clippy, licences, bans and advisories
	@bash tests/tools/lint.sh

fmt: ## Format the code
	cargo fmt --all

bench: ## Measure speed and memory; results go to target/bench
	cargo run --release --locked -p kulanz-bench --bin kulanz-bench -- $(ARGS)

bench-cluster: ## Measure Kulanz between a real Kafka and a real PostgreSQL, against its peers
	@tests/tools/setup.sh $(TARGET)
	cargo build --release --locked -p kulanz -p kulanz-bench
	$(TARGET)/release/kulanz-bench-cluster $(ARGS)

docs: ## Build the documentation of the code
	cargo doc --workspace --no-deps --locked

schemas: ## Write the published schemas anew from the types that they describe
	UPDATE_SCHEMAS=1 cargo test --quiet --workspace schema

clean: ## Remove everything that was built
	cargo clean
	rm -rf tests/browser/node_modules
