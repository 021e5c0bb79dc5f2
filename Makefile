# make help lists what there is. The first target that needs it prepares .venv from poetry.lock.

DATASET ?= demo
SOURCE ?=
JOBS ?=
ARGS ?=
TESTS ?=

PYTHON_BIN := .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHON
export WANDB_SILENT ?= true

.PHONY: help prepare run test lab lint format bench notebooks lock clean clean-all
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  variables: DATASET=$(DATASET) SOURCE=<url or folder of its files> JOBS=<n> ARGS='-p epochs=5 --from 3-training'"

.venv/.ready: poetry.lock pyproject.toml tools/prepare.sh
	@tools/prepare.sh

prepare: .venv/.ready ## Prepare the environment (the other targets do it by themselves)

run: .venv/.ready ## Run the whole pipeline of DATASET (the built-in demo by default)
	@$(if $(SOURCE),LOST_AND_FOUND_SOURCE_$(shell echo '$(DATASET)' | tr 'a-z.-' 'A-Z__')='$(SOURCE)') \
		$(PYTHON_BIN) -m shared.pipeline --dataset '$(DATASET)' $(if $(JOBS),--jobs $(JOBS)) $(ARGS)

test: .venv/.ready ## Run the whole test suite (TESTS=tests/data_loader for a part)
	@PYTHONHASHSEED=0 $(PYTHON_BIN) -m pytest -n 2 --dist loadgroup $(TESTS)

lab: .venv/.ready ## Open JupyterLab with the project's kernel
	@PYTHONWARNINGS="$${PYTHONWARNINGS:-ignore:IProgress not found}" $(PYTHON_BIN) -m jupyterlab

lint: .venv/.ready ## Check style, types and notebooks
	@$(PYTHON_BIN) -m ruff check .
	@$(PYTHON_BIN) -m ruff format --check .
	@$(PYTHON_BIN) -m mypy
	@$(PYTHON_BIN) -m nbqa mypy 1-data-collection 2-data-processing 3-training 4-evaluation
	@$(PYTHON_BIN) -m shared.pipeline --check
	@.tools/bin/poetry check --lock --quiet
	@if command -v node >/dev/null; then for file in 4-evaluation/extension/*.js shared/collection/stand_in/*.js; do \
		node --check --input-type=module <"$$file" || { echo "error: $$file" >&2; exit 1; }; done; fi

format: .venv/.ready ## Format the code and the notebooks
	@$(PYTHON_BIN) -m ruff check --fix .
	@$(PYTHON_BIN) -m ruff format .

bench: .venv/.ready ## Measure speed and memory against named baselines
	@$(PYTHON_BIN) -m benchmarks

notebooks: .venv/.ready ## Run the demo and write its outputs into the notebooks
	@$(PYTHON_BIN) -m shared.pipeline --dataset demo --all --publish

clean: ## Remove what runs have made (data, runs, caches); keeps .venv and the data lists
	@rm -rf runs .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis wandb
	@find [0-9]-* -name .data -type d -prune -exec rm -rf {} +
	@find shared tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

clean-all: clean ## Remove the environment too
	@rm -rf .venv .tools
