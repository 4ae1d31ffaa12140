# Every target installs what it needs by itself: uv (into .uv where there is none), .venv, the locked packages.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
PYTHON ?= python3
ARGS ?=
NAME ?=
ROOM ?=
DATA ?= $(or $(TMPDIR),/tmp)/imagelab-data
UV := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
BIN := .venv/bin
# Two processes with one thread each: several threads in several processes mostly wait for each other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest
PARALLEL := -n 2 --dist worksteal
# Changes with what is installed and with where: editing the lock, another branch or a moved folder installs anew.
STAMP := .venv/.installed-$(shell (pwd; cat requirements.lock pyproject.toml) | cksum | cut -d' ' -f1)
export UV_COMPILE_BYTECODE = 1
unexport PYTHONDONTWRITEBYTECODE VIRTUAL_ENV

.PHONY: help setup train check sweep evaluate predict test test-fast test-slow lint format types recipe bench bench-tricks bench-gpu docs snapshots golden lock clean rename remove

help:  ## List the targets; options go along as ARGS="…"
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP)  ## Install everything into .venv (every other target does it by itself)
	@echo 'Ready: "make train" trains; "source .venv/bin/activate" puts the command imagelab on your path.'

train: $(STAMP)  ## Train: make train ARGS="data=cifar10 model=resnet9"
	@$(BIN)/imagelab train $(ARGS)

# room: checks
check: $(STAMP)  ## Sanity-check a run before you spend hours on it: make check ARGS="data=cifar10 fast=true"
	@$(BIN)/imagelab check $(ARGS)
# end

# room: sweep
sweep: $(STAMP)  ## Search hyperparameters: make sweep ARGS="sweep=random data=cifar10"
	@$(BIN)/imagelab train -m $(ARGS)
# end

evaluate: $(STAMP)  ## Measure a run on its test split: make evaluate ARGS="run=last"
	@$(BIN)/imagelab evaluate $(ARGS)

predict: $(STAMP)  ## Predict the classes of images: make predict ARGS="run=last source=photos"
	@$(BIN)/imagelab predict $(ARGS)

test: $(STAMP)  ## All tests but the slow ones and those for a GPU, in parallel
	@$(PYTEST) $(PARALLEL) -m "not slow and not gpu" $(ARGS)

test-fast: $(STAMP)  ## The same, stopping at the first failure, last failures first, without real images
	@$(PYTEST) $(PARALLEL) -x --failed-first -m "not slow and not gpu and not data" $(ARGS)

test-slow: $(STAMP)  ## The slow tests (the documents for real, whole fits), and those for a GPU where there is one
	@$(PYTEST) -m "slow or gpu" $(ARGS)

lint: $(STAMP)  ## Style, layout and spelling
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/codespell
	@$(BIN)/lint-imports --no-cache --no-logo

format: $(STAMP)  ## Fix style and layout where that is safe
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

types: $(STAMP)  ## Check the types
	@$(BIN)/basedpyright

# room: checks, finders, sweep, reports
recipe: $(STAMP)  ## Follow the six steps of choosing hyperparameters: make recipe ARGS="data=cifar10 model=resnet9"
	@$(BIN)/python -m scripts.recipe $(ARGS)
# end

# Each script compares its figures with those of benchmarks/results/ratios.jsonl; ARGS=--record keeps the new ones.
BENCH = "loop_overhead"
BENCH += "cpu_time" # room: checks
BENCH += "data_path --data $(DATA)" # room: augment/color_jitter, augment/crop, augment/flip
BENCH += "find_lr --again --data $(DATA)/cifar10" # room: finders, schedule/cosine
BENCH_GPU = "loop_overhead --device gpu"
BENCH_GPU += "cifar10_speed --device gpu" # room: experiment/cifar10_fast
BENCH_GPU += "data_path --device cuda --data $(DATA)" # room: augment/color_jitter, augment/crop, augment/flip
run_each = @failed=; for words in $(1); do set -- $$words; script=$$1; shift; echo "== $$script $$*"; \
	$(BIN)/python benchmarks/$$script.py "$$@" $(ARGS) || failed="$$failed $$script"; done; \
	if [ -n "$$failed" ]; then echo "Slower than before, or than promised:$$failed"; exit 1; fi

bench: $(STAMP)  ## Measure speed, and what got worse: make bench DATA=FOLDER, with cifar10/ and hymenoptera/ in it
	$(call run_each,$(BENCH))

bench-tricks: $(STAMP)  ## Test what each trick claims, piece by piece: make bench-tricks DATA=FOLDER ARGS="--minutes 60"
	@$(BIN)/python benchmarks/tricks.py $(if $(DATA),--data $(DATA)/cifar10) $(ARGS)

bench-gpu: $(STAMP)  ## The same on a GPU, then the tests for one
	$(call run_each,$(BENCH_GPU))
	@$(PYTEST) -m gpu

docs: $(STAMP)  ## Rewrite docs/tricks.md, docs/schemas and docs/pictures from configs and code
	@$(BIN)/python scripts/docs.py
	@$(BIN)/python -m scripts.schemas
	@$(BIN)/python -m scripts.pictures

snapshots: $(STAMP)  ## Rewrite tests/snapshots: a changed default shows in the diff
	@$(BIN)/python scripts/snapshots.py

golden: $(STAMP)  ## Record a new golden curve, after a change that is meant to change numbers
	@$(BIN)/python scripts/golden.py

lock: $(STAMP)  ## Pin the dependencies of pyproject.toml: make lock ARGS=--upgrade
	@$(UV) pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --all-extras --group dev -o requirements.lock $(ARGS)

clean:  ## Remove caches and build products; runs, data and .venv stay
	@rm -rf dist .pytest_cache .ruff_cache
	@find src tests scripts benchmarks -name __pycache__ -prune -exec rm -rf {} +

rename: $(STAMP)  ## Give the package another name: make rename NAME=birds
	@$(BIN)/python scripts/rename.py $(NAME)

remove: $(STAMP)  ## Take a room or a choice out: make remove ROOM=inspection, ROOM=trick/ema
	@$(BIN)/python -m scripts.remove $(ROOM)

define PYTHON_IS_NEW_ENOUGH
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "$(PYTHON) is not Python 3.11 or newer; say which one is: make setup PYTHON=python3.12"; exit 1; }
endef

.uv/bin/uv:
	$(PYTHON_IS_NEW_ENOUGH)
	@echo "Installing uv into .uv …"
	@rm -rf .uv
	@{ $(PYTHON) -m venv .uv >/dev/null 2>&1 && .uv/bin/python -m pip install --quiet uv; } \
		|| { rm -rf .uv; $(PYTHON) -m pip install --quiet --target .uv uv; } \
		|| { echo "uv cannot be installed: neither venv nor pip of $(PYTHON) works. Install uv, then try again."; exit 1; }

$(STAMP): | $(filter .uv/bin/uv,$(UV))
	$(PYTHON_IS_NEW_ENOUGH)
	@echo "Installing the locked packages into .venv …"
	@rm -f .venv/.installed-*
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@
