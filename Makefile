# Every target in a line: `make help`.
.DEFAULT_GOAL := help
.PHONY: demo dev test faults battery image-test e2e bench api openapi lint format build release ci db-init db-reset docker-build docker-run screenshots clean help

PORT ?= 8080
RUNS ?= 500
ENGINE ?= simulated
DIR ?= data/demo
DATABASE_PATH ?= data/release-manager.db
GITHUB_REPO ?= user/homelab

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Try it: a sample homelab on a simulated Docker Engine [ENGINE=docker] [PORT=8080] [DIR=data/demo]
	@scripts/demo --port $(PORT) --dir $(DIR) --engine $(ENGINE)

dev: ## The demo, rebuilt and restarted at every change of the code [PORT=8080]
	@scripts/dev --port $(PORT) --dir $(DIR) --engine $(ENGINE)

test: ## Run every test: unit, integration, simulator, real Docker Engine, browser
	@scripts/setup test
	@scripts/test

faults: ## Kill it at every step and in thousands of random worlds [RUNS=500] [SEED=7 for one world]
	@scripts/setup test
	@RM_RUNS=$(RUNS) RM_SEED=$(SEED) scripts/test faults

battery: ## Try the rule of convergence on a real Docker Engine: every case, daemons that die, lost answers, three managers [RM_RECORD=dir]
	@scripts/setup test
	@scripts/test battery

image-test: ## Put the image together and prove it as a service of a private Swarm, by the shipped stack file
	@scripts/setup test
	@scripts/test image

e2e: ## Run the browser tests alone
	@scripts/setup test
	@scripts/test e2e

bench: ## Measure start, memory, pages, history, rollouts, viewers, and stack deploy beside the docker command
	@scripts/setup release
	@scripts/bench
	@scripts/bench-load
	@scripts/bench-stack
	@cargo bench --locked --quiet --package release-manager --bench plan

api: ## Try the REST API with requests made from its own description (schemathesis)
	@scripts/setup test
	@scripts/test api

openapi: ## Write docs/openapi.json, the description of the REST API
	@UPDATE_OPENAPI=1 cargo test --quiet --locked --package server --lib http::openapi

lint: ## Check format, lints, dependencies and the rules of the architecture
	@scripts/setup lint
	@scripts/lint

format: ## Format the code
	@cargo fmt --all

build: ## Build for development
	@scripts/setup build
	@scripts/build

release: ## Build the single file to ship
	@scripts/setup release
	@scripts/build --release

ci: ## What a merge has to pass: lint and test
	@.ci/run

db-init: ## Create the database [DATABASE_PATH=data/release-manager.db]
	@scripts/db init $(DATABASE_PATH)

db-reset: ## Delete the database, after a question, and create it anew
	@scripts/db reset $(DATABASE_PATH)

docker-build: ## Build the container image
	docker build -t release-manager:latest .

docker-run: ## Run the image against the local Docker Engine [GITHUB_REPO=user/homelab]
	docker run --detach --name release-manager \
		--publish 127.0.0.1:$(PORT):8080 \
		--group-add "$$(stat -c %g /var/run/docker.sock)" \
		--volume /var/run/docker.sock:/var/run/docker.sock \
		--volume release-manager:/data \
		--env GITHUB_REPO=$(GITHUB_REPO) \
		release-manager:latest

screenshots: ## Make the pictures in docs/screenshots
	@scripts/setup test
	@scripts/test screenshots

clean: ## Remove what was built; data/ and the installed tools stay
	rm -rf target end2end/node_modules end2end/test-results end2end/playwright-report
