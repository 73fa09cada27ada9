SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 10s
TOOL := go tool -modfile=tools.mod
GOFILES = find . \( -name node_modules -o -name .git \) -prune -o -name '*.go' -print0 | xargs -0
COMPILER := $(firstword $(shell go env CC))
# The race detector needs a C compiler; without one the tests still run.
RACE := $(shell command -v $(COMPILER) >/dev/null && echo -race)

.PHONY: help run build test engines check-format check-modules vet lint race fmt fuzz-short rig rig-long rig-broken cpu cover clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do printf '%-12s %s\n' "$$target" "$$text"; done

run: build ## build and run an embedded server to try
	@exec bin/signet serve --dev

# The version is given here, so the state of the work tree need not be stamped in.
build: ## build bin/signet, static and stripped
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$(VERSION)" -o bin/signet ./cmd/signet

test: export SIGNET_TEST_ENGINES := required
test: engines check-format check-modules vet lint race ## check formatting, vet, lint, and run all tests with the race detector

engines: ## install PostgreSQL and Redis for the tests, where they are missing
	@build/engines.sh

check-format:
	@echo '== format'
	@unformatted="$$($(GOFILES) gofmt -l; $(GOFILES) $(TOOL) gofumpt -l)"; \
	if [ -n "$$unformatted" ]; then echo "run make fmt, which will change:"; sort -u <<<"$$unformatted"; exit 1; fi

check-modules:
	@echo '== modules'
	@go mod tidy -diff
	@go mod verify >/dev/null

vet:
	@echo '== vet'
	@go vet ./...

lint: ## run the linters, staticcheck included
	@echo '== lint'
	@$(TOOL) golangci-lint run ./...

race:
	@echo '== tests $(if $(RACE),with the race detector,without the race detector: no C compiler)'
	@go test $(RACE) -timeout 8m ./...

fmt: ## format all Go files
	@$(GOFILES) $(TOOL) gofumpt -w

# The targets are searched for, so that none is forgotten. A run that fails with nothing but
# the deadline of -fuzztime met a race of the tool (golang/go#75804) and is run again.
fuzz-short: ## run each fuzz target for FUZZTIME (10s)
	@targets="$$(grep -rE --include='*_test.go' --exclude-dir=node_modules '^func Fuzz[A-Za-z0-9_]*\(' . | sed -E 's|^(.*)/[^/]*:func (Fuzz[A-Za-z0-9_]*)\(.*|\1 \2|' | sort -u)"; \
	[ -n "$$targets" ] || { echo 'no fuzz target found'; exit 1; }; \
	log="$$(mktemp)"; trap 'rm -f "$$log"' EXIT; \
	fuzz() { go test -run '^$$' -fuzz "^$$2\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$1" </dev/null 2>&1 | tee "$$log"; }; \
	toolrace() { grep -qx ' *context deadline exceeded' "$$log" && ! grep -q -e 'Failing input' -e '_test.go:' -e panic "$$log"; }; \
	while read -r folder target; do \
		echo "== fuzz $$folder $$target"; \
		for try in 1 2 3; do \
			if fuzz "$$folder" "$$target"; then break; fi; \
			if [ $$try = 3 ] || ! toolrace; then exit 1; fi; \
			echo '== stopped by the deadline alone (golang/go#75804): again'; \
		done; \
	done <<<"$$targets"

rig: ## break a running Signet in every known way, within 5 minutes
	@go run ./test/rig

rig-long: ## the same with 1,000 kills and 200 power cuts; takes hours
	@go run ./test/rig -tier long

rig-broken: ## break promises on purpose and see that the rig notices each
	@go run ./test/rig -broken all

cpu: ## measure CPU per token beside the floor, memory, start and size
	@go run ./bench

cover: ## measure test coverage into coverage.out
	@go test -timeout 8m -coverpkg ./... -coverprofile coverage.out ./...
	@go tool cover -func coverage.out | tail -n 1

clean: ## remove what the other targets made
	rm -rf bin coverage.out
