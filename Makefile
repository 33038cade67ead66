# Targets carry their own help: make help.
SHELL       := /bin/bash
TOOLS       := $(CURDIR)/.tools
LINT        := 2.15.0
RUN_FLAGS   ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

.PHONY: run
run: ## Run the main job: both vendors simulated, a first sync, edits, a second sync
	go run ./internal/local demo $(RUN_FLAGS)

.PHONY: test
test: vet ## Run every test, with the race detector
	go test -race -count=1 -timeout 30m ./...
	go test -count=1 -run 'TestEvery' ./internal/scenario # every loss of every write and call; the detector's run takes one loss of each

.PHONY: vet
vet: ## Check formatting and go vet
	@files=$$(gofmt -l functions internal statemachines); if [ -n "$$files" ]; then echo "not formatted, run make fmt: $$files"; exit 1; fi
	go vet ./...

.PHONY: bench
bench: ## Measure the numbers that the design states
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: serve
serve: ## Later: the console; until then this says so
	@echo "The console is not part of this version yet. Use: go run ./internal/local help"; exit 1

.PHONY: lint
lint: $(TOOLS)/golangci-lint-$(LINT) ## Run the linters of .golangci.yml
	$(TOOLS)/golangci-lint-$(LINT) run ./...

.PHONY: fmt
fmt: ## Format the code
	gofmt -w functions internal statemachines

$(TOOLS)/golangci-lint-$(LINT):
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(LINT)
	mv $(TOOLS)/golangci-lint $@
