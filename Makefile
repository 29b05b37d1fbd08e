# The only list of commands. `make help` prints it.
#
# Three environments, each made from a lock file of hashes and left alone until that changes:
#   .venv         everything that tests and checks need
#   .venv-server  the bare server, as a team would run it
#   .venv-demo    a server that also applies models, and what trains the demo's
# and .venv-node with a Node for the web page, only where the PATH has none.

.DEFAULT_GOAL := help
SHELL := /bin/sh

BIN := .venv/bin
SERVER := .venv-server/bin
DATA ?= heddle-data
ARGS ?=
# Generated at once for every platform and Python that we support; no registry is named in them.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --no-emit-index-url --no-emit-find-links $(UPGRADE)

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: dev ## make the development environment, .venv

.PHONY: dev
dev:
	@tools/environment .venv requirements/dev.txt

.PHONY: server
server:
	@tools/environment .venv-server requirements/build.txt requirements/server.txt

.PHONY: trainer
trainer:
	@tools/environment .venv-demo requirements/build.txt requirements/demo.txt

.PHONY: page
page: ## build the web page into the package
	@tools/page build

# A server is worth having without its page; what was missing for it has been said.
.PHONY: perhaps-page
perhaps-page:
	@tools/page build || echo 'Going on without the web page.' >&2

.PHONY: demo
demo: trainer perhaps-page ## start a server, train models against it, apply one, say where to look
	@.venv-demo/bin/heddle demo $(ARGS)

.PHONY: serve
serve: server perhaps-page ## start a server on the data folder DATA (heddle-data)
	@$(SERVER)/heddle serve --data $(DATA) $(ARGS)

.PHONY: programs
programs:
	@tools/programs chromium java wrk

.PHONY: test
test: programs dev perhaps-page ## run the tests; ARGS="tests/search -k page" for some of them
	@$(BIN)/python -m pytest -m "not matrix" $(ARGS)

.PHONY: matrix
matrix: programs dev ## the same with other releases of MLflow's clients, Spark and libraries
	@$(BIN)/python -m pytest -m matrix $(ARGS)

.PHONY: check
check: dev ## formatting, lint, types, who imports whom; says all that is wrong at once
	@failed=; \
	$(BIN)/ruff format --check --quiet --output-format concise . || \
		{ failed=yes; echo 'make fix formats these files' >&2; }; \
	$(BIN)/ruff check --no-cache --quiet --output-format concise . || failed=yes; \
	$(BIN)/mypy --no-error-summary || failed=yes; \
	said=$$($(BIN)/lint-imports --no-logo --cache-dir .cache/imports) || \
		{ failed=yes; echo "$$said"; }; \
	tools/page check || failed=yes; \
	test -z "$$failed"

.PHONY: fix
fix: dev ## format, and mend what lint can mend by itself
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .
	@tools/page setup && cd ui && npm run --silent format

.PHONY: lock
lock: dev ## write the lock files anew; UPGRADE=--upgrade for the newest of everything
	@$(COMPILE) pyproject.toml -o requirements/server.txt
	@$(COMPILE) requirements/build.in -c requirements/server.txt -o requirements/build.txt
	@$(COMPILE) pyproject.toml requirements/dev.in --extra postgres --extra client --extra predict \
		-c requirements/server.txt -c requirements/build.txt -o requirements/dev.txt
	@$(COMPILE) pyproject.toml requirements/demo.in --extra predict \
		-c requirements/server.txt -c requirements/build.txt -o requirements/demo.txt
	@$(COMPILE) requirements/node.in -o requirements/node.txt
	@for wanted in tests/spark/requirements-*.in; do \
		$(COMPILE) pyproject.toml --extra predict $$wanted -o $${wanted%.in}.txt || exit; done
	@for wanted in tests/compat/clients/requirements-*.in; do \
		$(COMPILE) $$wanted -o $${wanted%.in}.txt || exit; done
	@for wanted in tests/scoring/flavors/requirements-*.in bench/requirements/scoring.in; do \
		UV_FIND_LINKS=$$PIP_FIND_LINKS $(COMPILE) pyproject.toml $$wanted --extra predict \
		-o $${wanted%.in}.txt || exit; done

.PHONY: bench
bench: dev ## measure beside MLflow and FastTrackML; ARGS="--help" says what can be asked
	@$(BIN)/python -m bench $(ARGS)

.PHONY: bench-quick
bench-quick: dev ## the same in small, under three minutes
	@$(BIN)/python -m bench --quick $(ARGS)

.PHONY: docs
docs: dev ## write docs/reference and openapi.json from the program
	@$(BIN)/python -m heddle.api.openapi openapi.json
	@$(BIN)/python tools/reference.py docs/reference

.PHONY: screenshots
screenshots: dev trainer page ## picture every screen on freshly trained models into docs/screenshots
	@$(BIN)/python tools/screenshots $(ARGS)

.PHONY: torture
torture: dev ## kill servers under load N (1000) times; writes bench/TORTURE.md
	@PYTHONPATH=src:tests/support:tests/proof $(BIN)/python -m torture $(or $(N),1000) $(ARGS)

.PHONY: clean
clean: ## remove environments, caches and built things; data folders stay
	@rm -rf .venv .venv-server .venv-demo .venv-node .cache ui/node_modules src/heddle/page .pytest_cache .ruff_cache .hypothesis dist build
	@find src tests tools bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
