# `make run` and `make test` do all the set-up. Python 3.11 or later and make are all that is needed.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run test test-fast documents audit bench bench-peers fuzz soak faults test-live pictures tables check format translations lock dist clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/run ## Run everything here: store, receiver, worker
	@$(BIN)/relay up --show-secrets

# Four at a time on two cores: there is always one that waits for processes. Each takes the next test of one queue, in
# which what takes longest comes first (tests/support/lanes.py); what shares processes stays together.
AT_ONCE ?= 4
QUEUE = -n $(AT_ONCE) --dist loadgroup --no-loadscope-reorder

test: $(VENV)/dev check ## Run every check and every test
	$(BIN)/pytest $(QUEUE) $(PYTEST_ARGS)

# Two at a time: these compute. What the fuzz feeds has a command of its own.
test-fast: $(VENV)/dev ## Run the tests that start no process beside the store's server and are soon done
	$(BIN)/pytest -n 2 -m "not processes and not thorough" --ignore tests/fuzz $(PYTEST_ARGS)

documents: $(VENV)/dev ## Hold what is sent against the vendors' own documents, where these lie in ../shared
	$(BIN)/pytest -n 2 $(PYTEST_ARGS) tests/documents

bench: $(VENV)/dev ## Measure how fast and how big it is, against ceilings of the same run (BENCH_ARGS="--only a,b")
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

bench-peers: $(VENV)/dev ## Measure others at the same job beside Relay: Node-RED, Restate, DBOS (BENCH_ARGS="--only dbos")
	$(BIN)/python -m benchmarks.peers $(BENCH_ARGS)

fuzz: $(VENV)/dev ## Feed hostile input to whatever reads it, led by what it reaches: 50,000 inputs and more
	$(BIN)/python -m tests.fuzz --at-least 50000 $(FUZZ_ARGS)

soak: $(VENV)/dev ## Hostile requests to the receiver, and the store against its model, for long
	FUZZ_TIMES=20 $(BIN)/pytest $(PYTEST_ARGS) -rP tests/web/test_hostile.py -k "generated or after_all"
	MODEL_TIMES=10 $(BIN)/pytest $(PYTEST_ARGS) tests/store/test_store_model.py

faults: $(VENV)/dev ## Kill, freeze, fill and cut everything under load, for long; WRITE=1 puts the table into the docs
	RELAY_FAULTS=long RELAY_FAULTS_WRITE=$(WRITE) $(BIN)/pytest $(PYTEST_ARGS) tests/faults/test_nothing_lost.py tests/faults/test_public_face.py
	RELAY_PEOPLE=$(or $(RELAY_PEOPLE),1000) $(BIN)/pytest -n 2 $(PYTEST_ARGS) tests/connectors/test_people.py

# Three at a time, each with a system of its own: they wait for other programs.
test-live: $(VENV)/dev ## Install real help desks and a NocoDB (Debian, as root; PyPI; npm) and run the pipeline against them
	PYTHON=$(BIN)/python tests/live/install.sh
	$(BIN)/pytest -n 3 --dist loadfile $(PYTEST_ARGS) tests/live

pictures: $(VENV)/dev ## Retake the README's pictures of the dashboard (needs Chromium)
	$(BIN)/python -m tests.browser.pictures docs/pictures

tables: $(VENV)/dev ## Make anew what documentation and gallery say of connectors, requests and values
	$(BIN)/python -m tests.support.connectors_table
	$(BIN)/python -m tests.support.requests_table
	$(BIN)/python -m tests.support.sample_records
	$(BIN)/python -m tests.support.values_table
	$(BIN)/python -m tests.support.gallery

check: $(VENV)/dev ## Format, lint, types, imports, words
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell
	$(BIN)/python -m tests.words

# In an environment of its own: it brings many packages that nothing else here needs.
audit: ## Check the pinned packages for known vulnerabilities (needs the internet)
	@test -x $(VENV)-audit/bin/pip-audit || $(PYTHON) -m venv $(VENV)-audit
	@$(VENV)-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	$(VENV)-audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock

format: $(VENV)/dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The templates between are not kept: they have nothing that the code does not have.
CATALOGUES = $(BIN)/pybabel -q
UPDATE = --width=120 --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date

translations: $(VENV)/dev ## Bring new words and sentences into every catalogue (NEW=pt, NEW_PAGES=pt add a language)
	@mkdir -p build
	$(CATALOGUES) extract --no-default-keywords --keywords=gettext_noop --add-comments=Translators: --no-location \
	  --omit-header --output=build/transcript.pot connectors/kit/vocabulary.py
	$(if $(NEW),$(CATALOGUES) init --domain=transcript --input-file=build/transcript.pot --output-dir=connectors/kit/locale --locale=$(NEW))
	$(CATALOGUES) update --domain=transcript --input-file=build/transcript.pot --output-dir=connectors/kit/locale $(UPDATE)
	$(BIN)/python -m tests.support.extraction build/dashboard.pot
	$(if $(NEW_PAGES),$(CATALOGUES) init --domain=dashboard --input-file=build/dashboard.pot --output-dir=app/dashboard/locale --locale=$(NEW_PAGES))
	$(CATALOGUES) update --domain=dashboard --input-file=build/dashboard.pot --output-dir=app/dashboard/locale $(UPDATE)

lock: ## Update the lock files from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --upgrade pyproject.toml --extra build -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --constraint requirements.lock pyproject.toml --all-extras -o requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --constraint requirements-dev.lock release/requirements.in -o requirements-release.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  tests/live/packages/requirements.in -o tests/live/packages/requirements.lock

dist: ## Build what a release is made of from the last commit: sdist, wheel, SBOM, hashes
	@test -x $(VENV)-release/bin/python || $(PYTHON) -m venv $(VENV)-release
	@$(VENV)-release/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-release.lock
	release/build $(VENV)-release/bin

clean: ## Remove the virtual environment and what tools left behind; never the data
	rm -rf $(VENV) $(VENV)-audit $(VENV)-release build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The stamps make a second run start at once. The development set contains the other.
$(VENV)/run: requirements.lock pyproject.toml
	@test -e $(VENV)/dev || $(MAKE) --no-print-directory .install LOCK=requirements.lock
	@touch $@

$(VENV)/dev: requirements-dev.lock pyproject.toml
	@$(MAKE) --no-print-directory .install LOCK=requirements-dev.lock
	@touch $@

.PHONY: .install
.install:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; name one with: make PYTHON=python3.12 …" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian: apt install python3-venv" >&2; exit 1; }
	@echo "Installing the packages of $(LOCK) into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
