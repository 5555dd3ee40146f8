# Steward's commands. `make` alone lists them.
#
# Variables: ARGS (for run), PKGS and TESTFLAGS (for test), BENCHFLAGS (for bench), VERSION (for build).

SHELL         := bash
.SHELLFLAGS   := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS     += --no-print-directory

GO        ?= go
PKGS      ?= ./...
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
CONTRACT  ?= bin/eventstore-contract
GOLDFLAGS := -s -w -X main.version=$(VERSION)

# A checkout that another user owns, or none at all, must build too: the version comes from VERSION alone.
export GOFLAGS := $(filter-out -buildvcs%,$(GOFLAGS)) -buildvcs=false

WITHPG := $(GO) run ./internal/postgres/withpg
LINT   := $(GO) tool -modfile=tools/go.mod golangci-lint

say = @printf '\033[1m==> %s\033[0m\n' "$(1)" >&2

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: need-go ## Install what is missing, build, and start Steward with demo data (ARGS="--addr 127.0.0.1:0")
	$(call say,Looking for PostgreSQL)
	@$(WITHPG) -install
	@$(MAKE) build
	$(call say,Starting ./bin/steward dev $(ARGS))
	@exec ./bin/steward dev $(ARGS)

.PHONY: build
build: need-go ## Build bin/steward
	$(call say,Building bin/steward $(VERSION))
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(GOLDFLAGS)' -o bin/steward ./cmd/steward

.PHONY: test
test: need-go need-gcc ## Run every check and test, against a real PostgreSQL that it starts itself
	$(call say,Vetting $(PKGS))
	@$(GO) vet $(PKGS)
	$(call say,Testing $(PKGS) with the race detector on a private PostgreSQL)
	@CGO_ENABLED=1 $(WITHPG) $(GO) test -vet=off -race -shuffle=on -timeout=20m $(TESTFLAGS) $(PKGS)

.PHONY: test-long
test-long: need-go need-gcc ## Run the tests with their long campaigns: more crashes, more random cases (hours)
	$(call say,Testing $(PKGS) at length)
	@STEWARD_TEST_LONG=1 CGO_ENABLED=1 $(WITHPG) $(GO) test -race -shuffle=on -count=1 -timeout=6h $(TESTFLAGS) $(PKGS)

.PHONY: coverage-of-seeds
coverage-of-seeds: need-go ## List every row of the seed documents with the passing test that names it, and the open ones
	$(call say,Testing $(PKGS) for the table)
	@{ $(WITHPG) $(GO) test -json -vet=off $(PKGS) || true; } | $(GO) run ./internal/seeds/coverage

.PHONY: contract-suite
contract-suite: need-go ## Build bin/eventstore-contract, one file that tests the server in STEWARD_TEST_EVENTSTORE_URL
	$(call say,Building $(CONTRACT))
	@CGO_ENABLED=0 $(GO) test -c -trimpath -ldflags '-s -w' -o $(CONTRACT) ./internal/esnode/contract

.PHONY: test-kill
test-kill: need-go need-gcc ## Kill the embedded event store 1,000 times while it writes, and look for what is missing
	$(call say,Killing the embedded event store)
	@STEWARD_TEST_LONG=1 CGO_ENABLED=1 $(GO) test -race -count=1 -timeout=2h -v -run '^TestKill$$' $(TESTFLAGS) ./internal/esnode

.PHONY: bench
bench: need-go ## Measure throughput, latency and memory, and print one table (BENCHFLAGS="-quick")
	$(call say,Looking for PostgreSQL)
	@$(WITHPG) -install
	@$(MAKE) build
	$(call say,Measuring)
	@CGO_ENABLED=0 $(GO) run ./internal/bench -steward ./bin/steward $(BENCHFLAGS)

.PHONY: lint
lint: need-go ## Check style and formatting (the first run builds the linter, which takes minutes)
	$(call say,Linting)
	@$(LINT) run $(PKGS)
	$(call say,Checking that go.mod is tidy)
	@$(GO) mod tidy -diff

.PHONY: format
format: need-go ## Format all Go code
	@$(LINT) fmt $(PKGS)

.PHONY: need-go
need-go:
	@command -v $(GO) >/dev/null || { echo 'Go 1.26 or newer is missing: install it from https://go.dev/dl and put its bin directory on PATH' >&2; exit 1; }

.PHONY: need-gcc
need-gcc:
	@cc=$$($(GO) env CC); command -v $${cc%% *} >/dev/null || { echo "The race detector needs a C compiler and $$cc is missing. Install it (on Debian, as root):  apt-get install -y gcc libc6-dev" >&2; exit 1; }
