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
FUZZER      := schemathesis==4.32.5
NODE        := asl-validator@4.0.0 jsonata@2.2.2 axe-core@4.14.1

# done names the mark of an installation after what was installed, so that other versions are installed anew.
done = $(TOOLS)/$(1)/.done-$(firstword $(shell echo '$(2)' | cksum))
ENGINE_DONE := $(call done,engine,$(ENGINE))
SAM_DONE    := $(call done,sam,$(SAM))
CFN_DONE    := $(call done,cfn,$(CFN_LINT))
FUZZER_DONE := $(call done,schemathesis,$(FUZZER))
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
	go test -race -count=1 -timeout 60m ./...
	go test -count=1 -timeout 30m -run 'TestEvery|TestCost' ./internal/scenario ./internal/e2e # every loss of every write and call, long loads and what they cost; the detector's run takes one loss of each

.PHONY: vet
vet: ## Check formatting and go vet
	@files=$$(gofmt -l functions internal statemachines); if [ -n "$$files" ]; then echo "not formatted, run make fmt: $$files"; exit 1; fi
	go vet ./...

.PHONY: bench
bench: ## Measure the numbers that the design states
	go test -run '^$$' -bench . -benchmem ./...
	go test -run TestAMillionContacts -timeout 3h -v ./internal/scenario -million | grep -v level=INFO

.PHONY: serve
serve: ## Serve the console on this machine; DEMO=1 simulates both vendors
	@go run ./internal/local serve $(if $(DEMO),-demo) $(SERVE_FLAGS)

.PHONY: deploy
deploy: $(SAM_DONE) ## Build, and deploy to the AWS account that is signed in; ENV=prod for the real stack
	@$(TOOLS)/sam/bin/python -c 'import boto3; boto3.client("sts").get_caller_identity()' >/dev/null 2>&1 || \
	  { echo "No AWS account is signed in, or no region is set: sign in (aws sso login, or AWS_PROFILE), set AWS_REGION, then repeat make deploy."; exit 1; }
	$(TOOLS)/sam/bin/sam build --config-env $(ENV)
	@guided=; $(TOOLS)/sam/bin/sam list stack-outputs --config-env $(ENV) >/dev/null 2>&1 || { guided=--guided; \
	  echo "There is no such stack yet: answer the questions below. Enter takes what is in brackets; README says where the values are found."; }; \
	$(TOOLS)/sam/bin/sam deploy --config-env $(ENV) $$guided

# sam build calls this once per function; the name of the resource is that of its folder. The console waits and does not
# compute: without inlining and HTTP/2 it is a fifth smaller. internal/serve/runtimetest builds alike.
Console_FLAGS = ,nethttpomithttp2 -gcflags=all=-l
.PHONY: build-%Function
build-%Function:
	CGO_ENABLED=0 GOOS=linux GOARCH=$(or $(GOARCH),arm64) go build -trimpath -buildvcs=false -tags lambda.norpc$($*_FLAGS) -ldflags "-s -w" -o $(ARTIFACTS_DIR)/bootstrap ./functions/$$(echo $* | tr A-Z a-z)

.PHONY: tools
tools: $(ENGINE_DONE) $(SAM_DONE) $(CFN_DONE) $(FUZZER_DONE) $(NODE_DONE) browser ## Install what the tests run besides Go, into .tools

PIP = rm -rf $(@D) && python3 -m venv $(@D) && $(@D)/bin/pip install -q --disable-pip-version-check
$(ENGINE_DONE):
	$(PIP) $(ENGINE) && touch $@
$(SAM_DONE):
	$(PIP) $(SAM) && touch $@
$(CFN_DONE):
	$(PIP) $(CFN_LINT) && touch $@
$(FUZZER_DONE):
	$(PIP) $(FUZZER) && touch $@
$(NODE_DONE):
	rm -rf $(@D) && mkdir -p $(@D) && npm install --silent --no-audit --no-fund --prefix $(@D) $(NODE) && touch $@

# Chromium comes from Debian where root may install; elsewhere tests of pages are skipped, in CI they fail.
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable
.PHONY: browser
browser: ## Install Chromium for the tests of the console, where this machine allows it
	@for b in $(BROWSERS); do if command -v $$b >/dev/null; then exit 0; fi; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	then echo "Chromium is installed."; \
	else echo "Chromium cannot be installed here: the tests of the console in a browser are skipped. Install one of: $(BROWSERS)."; fi

.PHONY: lint
lint: $(TOOLS)/golangci-lint-$(LINT) ## Run the linters of .golangci.yml
	$(TOOLS)/golangci-lint-$(LINT) run ./...

.PHONY: fmt
fmt: ## Format the code
	gofmt -w functions internal statemachines

$(TOOLS)/golangci-lint-$(LINT):
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(LINT)
	mv $(TOOLS)/golangci-lint $@
