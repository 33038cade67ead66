# Targets carry their own help: make help.
SHELL       := /bin/bash
TOOLS       := $(CURDIR)/.tools
LINT        := 2.15.0
RUN_FLAGS   ?=
SERVE_FLAGS ?=
ENV         ?= default

# Engines and validators that are not ours, for the tests. Nothing of them is deployed.
ENGINE      := ministack==1.5.33 aws-sam-translator==1.103.0
SAM         := aws-sam-cli==1.170.0
CFN_LINT    := cfn-lint==1.58.0
NODE        := asl-validator@4.0.0 jsonata@2.2.2

# done names the mark of an installation after what was installed, so that other versions are installed anew.
done = $(TOOLS)/$(1)/.done-$(firstword $(shell echo '$(2)' | cksum))
ENGINE_DONE := $(call done,engine,$(ENGINE))
SAM_DONE    := $(call done,sam,$(SAM))
CFN_DONE    := $(call done,cfn,$(CFN_LINT))
NODE_DONE   := $(call done,node,$(NODE))

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

.PHONY: run
run: ## Run the main job: both vendors simulated, a first sync, edits, a second sync
	go run ./internal/local demo $(RUN_FLAGS)

.PHONY: test
test: vet tools ## Run every test, with the race detector
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
serve: ## Serve the console on this machine; DEMO=1 simulates both vendors
	@go run ./internal/local serve $(if $(DEMO),-demo) $(SERVE_FLAGS)

.PHONY: tools
tools: $(ENGINE_DONE) $(SAM_DONE) $(CFN_DONE) $(NODE_DONE) ## Install what the tests run besides Go, into .tools

PIP = rm -rf $(@D) && python3 -m venv $(@D) && $(@D)/bin/pip install -q --disable-pip-version-check
$(ENGINE_DONE):
	$(PIP) $(ENGINE) && touch $@
$(SAM_DONE):
	$(PIP) $(SAM) && touch $@
$(CFN_DONE):
	$(PIP) $(CFN_LINT) && touch $@
$(NODE_DONE):
	rm -rf $(@D) && mkdir -p $(@D) && npm install --silent --no-audit --no-fund --prefix $(@D) $(NODE) && touch $@

.PHONY: lint
lint: $(TOOLS)/golangci-lint-$(LINT) ## Run the linters of .golangci.yml
	$(TOOLS)/golangci-lint-$(LINT) run ./...

.PHONY: fmt
fmt: ## Format the code
	gofmt -w functions internal statemachines

$(TOOLS)/golangci-lint-$(LINT):
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(LINT)
	mv $(TOOLS)/golangci-lint $@
