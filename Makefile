# Mitra's tasks. `make help` lists them.
#
# The environment is `.venv`, installed from hash-locked lists; the stamp in it is newer than all that it was
# installed from, so an installed checkout costs `make` a few file stats.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Nothing is compiled by `make setup`: each module is when it is first imported, and only then where that is kept.
unexport PYTHONDONTWRITEBYTECODE

PORT ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCKS := requirements/dev.txt requirements/demo.txt requirements/graphiql.txt
UV ?= uv
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock"
PYTEST_ARGS ?=
ROWS ?=
SECONDS ?= 900

.PHONY: help setup run test test-year check bench bench-growth bench-growth-full soak image-check fmt schema settings lock reset clean

help: ## list every task
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## make .venv and install the locked dependencies (quick when nothing changed)

$(STAMP): $(LOCKS) pyproject.toml
	@python=$${PYTHON:-}; \
	for candidate in $$python python3 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python=$$candidate; break; fi; python=; \
	done; \
	[ -n "$$python" ] || { echo 'Mitra needs Python 3.11 or newer: install it, or name it with PYTHON=…' >&2; exit 1; }; \
	[ -x $(BIN)/python ] && $(BIN)/python -c '' 2>/dev/null || "$$python" -m venv --clear $(VENV)
	@echo 'Installing the locked dependencies …'
	@$(BIN)/python -m pip install -qq --no-compile --disable-pip-version-check --no-input --require-hashes --no-deps \
		$(addprefix -r ,$(LOCKS))
	@$(BIN)/python -m pip install -qq --no-compile --disable-pip-version-check --no-input --no-build-isolation --no-deps \
		--no-index --editable .
	@touch $@

run: setup ## start everything, load the demo once, and serve it on port 8000 (PORT= for another)
	@exec $(BIN)/mitra serve --demo $(if $(PORT),--port $(PORT))

test: check ## every check: format, lint, types, import contracts, SDL, tests
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

test-year: setup ## take in all of a wholesaler's year, where its file is, and look over it (`make test` takes a month)
	@$(BIN)/python -m pytest -n 0 --whole-year tests/scenarios/test_online_retail.py $(PYTEST_ARGS)

check: setup ## the checks that run no test
	@$(BIN)/ruff format --check --quiet --output-format concise . || { echo 'Run `make fmt`.' >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --cache-dir .cache/import-linter

bench: setup ## print the benchmark rows, floor and Mitra measured in one run (ROWS= for some: ingest, single, two, import, audit)
	@$(BIN)/python -m bench $(ROWS)

bench-growth: setup ## the ingest rate with 200,000 partners and 5,000,000 lines there (20 GiB of disk, ten minutes)
	@$(BIN)/python -m bench growth

bench-growth-full: setup ## the same with 1,000,000 partners and 20,000,000 lines (50 GiB of disk, most of an hour)
	@$(BIN)/python -m bench growth-full

soak: setup ## break a real installation under load for 15 minutes, and look over it (SECONDS= for another time)
	@$(BIN)/python -m tests.soak --seconds $(SECONDS)

image-check: setup ## do what docker/Dockerfile does, without an engine, and try the result
	@$(BIN)/python -m pytest -n 0 -q tests/image/check_image.py

fmt: setup ## format the code and mend what the linter can
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

schema: setup ## write api/schema/schema.graphql anew
	@$(BIN)/python -m api.schema.export

settings: setup ## write the table of docs/settings.md anew
	@$(BIN)/python -c 'import pathlib; from base.settings import settings_table; \
	page = pathlib.Path("docs/settings.md"); mark = "a test compares the two -->\n"; \
	head, rest = page.read_text().split(mark); tail = rest[rest.index("<!-- /settings"):]; \
	page.write_text(head + mark + settings_table() + tail)'

lock: ## resolve the dependencies anew into requirements/ (needs uv)
	@$(LOCK) pyproject.toml --group build -o requirements/run.txt
	@$(LOCK) pyproject.toml --extra embedded --group build --group dev --constraints requirements/run.txt \
		-o requirements/dev.txt
	@$(LOCK) --group demo --no-deps -o requirements/demo.txt
	@$(LOCK) --group graphiql --no-deps -o requirements/graphiql.txt

reset: ## stop the embedded servers and remove the local data
	@if [ -x $(BIN)/mitra ]; then $(BIN)/mitra reset --yes; else rm -rf .mitra; fi

clean: reset ## reset, and remove the environment and caches too
	@rm -rf $(VENV) .cache .ruff_cache build *.egg-info
