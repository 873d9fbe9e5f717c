# rollcall. `make` alone lists what can be made.
SHELL := /usr/bin/env bash
.DEFAULT_GOAL := help

# The program in the image that `make image` writes: manager or orgsim.
PROGRAM ?= manager
# The image that `make image` writes, and `make deploy` and `make build-installer` name.
IMG ?= rollcall$(if $(filter orgsim,$(PROGRAM)),-orgsim):dev
# Where `make image` writes.
IMAGES ?= dist/image
# How long `make fuzz` tries each fuzz target.
FUZZTIME ?= 300000x
# How many random histories `make soak` tries.
SEEDS ?= 20
# The seed of the first of them, to try one again that a failure named; 0: a random one.
FROM ?= 0
# Arguments of the manager for `make run`.
ARGS ?=
# The version that `make release` makes, such as v0.1.0.
VERSION ?=
# Where the released image is, without its tag.
REPOSITORY ?= rollcall
# Where `make release` writes.
RELEASE ?= dist/release
# From PATH, else the one that comes with the control plane for tests.
KUBECTL ?= $(shell command -v kubectl || echo "$$(hack/controlplane.sh kubectl)/kubectl")
export FUZZTIME

# Builds a pinned tool of hack/tools on first use.
tool = "$$(hack/tool.sh $(1))"

##@ Everyday

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the programs into bin/.
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

.PHONY: run
run: ## Run the manager against the current kubeconfig (ARGS='--log-level=debug').
	go run ./cmd/manager $(ARGS)

.PHONY: demo
demo: ## Show rollcall at work on a simulated organization (KEEP=1: leave it running).
	KEEP="$(KEEP)" hack/demo.sh

.PHONY: generate
generate: ## Generate the deep copies of the API's types.
	@tool=$(call tool,controller-gen) && set -x && "$$tool" object paths=./api/...

.PHONY: manifests
manifests: ## Generate the CustomResourceDefinitions and the manager's ClusterRole.
	@tool=$(call tool,controller-gen) && set -x && "$$tool" crd rbac:roleName=manager-role paths=./api/... paths=./internal/... \
		output:crd:dir=config/crd/bases output:rbac:dir=config/rbac

.PHONY: build-installer
build-installer: ## Render config/default into dist/install.yaml (IMG=registry/rollcall:tag).
	@mkdir -p dist && rendered=$$(hack/deploy.sh render "$(IMG)") && \
		printf '# All that a cluster needs: kubectl apply -f dist/install.yaml\n# Made from config/default by make build-installer.\n%s\n' "$$rendered" >dist/install.yaml

.PHONY: chart
chart: ## Make the templates of the Helm chart in dist/chart from config/.
	hack/chart.sh

.PHONY: reference
reference: ## Generate docs/reference.md from the comments of the API's types.
	@tool=$(call tool,crd-ref-docs) && set -x && "$$tool" --log-level=ERROR --source-path=api --config=hack/reference/config.yaml \
		--templates-dir=hack/reference/templates --renderer=markdown --output-path=docs/reference.md

.PHONY: generated
generated: generate manifests build-installer chart reference fmt ## Make everything anew that is generated.

.PHONY: fmt
fmt: ## Format the Go code.
	gofmt -w .

.PHONY: image
image: ## Write the manager's image for amd64 and arm64 to dist/image (IMG=name:tag, VERSION=; PROGRAM=orgsim: the simulator's).
	hack/image.sh "$(PROGRAM)" "$(IMG)" "$(IMAGES)"

.PHONY: release
release: ## Write all files of a release to dist/release: image, SBOM, install.yaml, chart, checksums (VERSION=v0.1.0 REPOSITORY=registry/rollcall).
	hack/release.sh "$(VERSION)" "$(REPOSITORY)" "$(RELEASE)"

.PHONY: clean
clean: ## Remove what builds and tests left in the checkout.
	rm -rf bin dist/image dist/release bench.json cover.out

##@ Checks

.PHONY: test
test: ## Run all tests: unit, API server and end to end. The first run builds a control plane, for minutes.
	hack/test.sh all

.PHONY: test-unit
test-unit: ## Run the tests that need no control plane.
	hack/test.sh unit

.PHONY: test-envtest
test-envtest: ## Run the tests against a real API server.
	hack/test.sh envtest

.PHONY: test-e2e
test-e2e: ## Run the end-to-end tests.
	hack/test.sh e2e

.PHONY: test-image
test-image: ## Run the tests of the container image.
	hack/test.sh image

.PHONY: test-node
test-node: ## Run rollcall's pods on a real node (Linux, root). The first run builds the node, for minutes.
	hack/test.sh node

.PHONY: test-race
test-race: ## Run the unit tests under the race detector (needs a C compiler).
	CGO_ENABLED=1 hack/test.sh unit -race

.PHONY: test-argocd
test-argocd: ## Run the engines of Argo CD and Flux on rollcall: health, renames, waves. The first run builds them, for minutes.
	hack/test.sh argocd

.PHONY: states
states: ## Record an object in each state that the stories reach, for the health checks.
	rm -f test/argocd/testdata/*.yaml
	KUBEBUILDER_ASSETS=$$(hack/controlplane.sh) go test ./internal/controller -count=1 -timeout=40m -record-states

.PHONY: soak
soak: ## Try random histories of manifests, drift, faults and restarts (SEEDS=20 FROM=seed).
	KUBEBUILDER_ASSETS=$$(hack/controlplane.sh) go test ./internal/controller -count=1 -timeout=4h -v -soak=$(SEEDS) -soak-from=$(FROM) -ginkgo.focus='Whatever happens'

.PHONY: vet
vet: ## Run go vet.
	go vet ./...

.PHONY: lint
lint: ## Run golangci-lint, and actionlint on the workflows.
	$(call tool,golangci-lint) run
	$(call tool,actionlint)

.PHONY: verify
verify: ## Check that what is generated is up to date, formatted and tidy.
	hack/verify.sh

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities that are called (REQUIRED=1: fail where their database is out of reach).
	hack/vulncheck.sh $(if $(REQUIRED),--required)

.PHONY: fuzz
fuzz: ## Fuzz each fuzz target so many times (FUZZTIME=300000x).
	hack/fuzz.sh

.PHONY: bench
bench: ## Measure (some twenty minutes).
	./hack/bench.sh

.PHONY: bench-fair
bench-fair: ## Measure what organizations that suffer do to healthy ones, and nothing else.
	./hack/bench.sh --users 0 --budget-users 0

##@ A cluster

.PHONY: install
install: ## Install the kinds into the current cluster.
	$(KUBECTL) apply -k config/crd

.PHONY: uninstall
uninstall: ## Remove the kinds and every object of theirs, while the manager runs; nobody leaves the organization.
	$(KUBECTL) delete -k config/crd --ignore-not-found

.PHONY: deploy
deploy: ## Install the kinds and deploy the manager (IMG=registry/rollcall:tag).
	KUBECTL="$(KUBECTL)" hack/deploy.sh apply "$(IMG)"

.PHONY: undeploy
undeploy: ## Remove the manager; kinds and objects stay.
	KUBECTL="$(KUBECTL)" hack/deploy.sh delete
