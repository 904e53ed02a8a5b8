# Python 3.13, make and git are all this needs. Everything is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
FLEETS ?= 10 100 1000

.PHONY: help run serve test test-real test-azure check bench docs package release deploy remove clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

run: $(READY) ## run the app on a simulated cloud, publish three events and show what happens (SCENARIO=hold or bad-restore: with a failure)
	@$(BIN)/python -m local.run

serve: $(READY) ## keep the same world running, sixty times as fast as real time, with commands to try
	@$(BIN)/python -m local.serve

test: check ## everything a contributor needs: formatting, lint, types, layers, tests
	$(BIN)/pytest

test-real: have-go have-cargo have-cc have-npm have-openssl $(READY) ## the tests that need real servers; builds those first, with Go, Rust and Node: minutes the first time
	@$(BIN)/python -m tests.real.build
	@$(BIN)/python -m tests.real.build_verifiers
	$(BIN)/pytest tests/real

test-azure: have-curl $(READY) .cache/az/.ready .cache/checkov/.ready ## the rollout scripts by the real az against the simulated cloud, and checkov over infra/
	$(BIN)/pytest --numprocesses=0 tests/azure

vpath %.txt tests/azure infra
.cache/%/.ready: %.txt | $(READY)
	@$(BIN)/python -m venv .cache/$*
	@.cache/$*/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

check: $(READY) ## the part of `make test` that takes seconds
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY) ## measure, write out/bench.json and print a table; rotations over FLEETS="10 100 1000" clusters
	@$(BIN)/python -m local.bench $(FLEETS)

docs: $(READY) ## write the pages under docs/ that follow from the code
	@$(BIN)/python -m local.docs

package: $(READY) ## build out/meshward.zip, which is what is deployed, and check that it imports where nothing is installed
	@PYTHON='$(CURDIR)/$(BIN)/python' infra/package.sh

release: $(READY) .cache/cyclonedx/.ready ## build out/release: the package, its bill of materials and their checksums
	@PYTHON='$(CURDIR)/$(BIN)/python' CYCLONEDX='$(CURDIR)/.cache/cyclonedx/bin/cyclonedx-py' infra/release.sh

deploy: have-az have-curl $(READY) ## roll out with az: infrastructure, code, event subscriptions (docs/deploy.md says what it needs)
	@PYTHON='$(CURDIR)/$(BIN)/python' infra/deploy.sh

remove: have-az ## show what an installation has made, and remove it if its name is typed (infra/remove.sh)
	@infra/remove.sh

clean: ## remove what was installed and produced
	rm -rf .venv .cache out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

have-%: # said before anything is installed
	@command -v $* >/dev/null || { echo "make $(MAKECMDGOALS) needs $*, which isn't on the PATH" >&2; exit 1; }

$(READY): requirements.txt requirements-dev.txt constraints.txt
	@$(PYTHON) -c 'import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || { echo "Meshward needs Python 3.13 with pip and venv; say which with: make PYTHON=/path/to/python3.13" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	@touch $@
