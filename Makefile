# The first lines of every target's life: uv (bootstrapped when missing), .venv, the locked packages.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
ARGS ?=
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
BIN := .venv/bin
export UV_COMPILE_BYTECODE = 1
export UV_LINK_MODE ?= copy
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup
help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: .venv/.installed  ## Install everything into .venv (other targets do it by themselves)

.uv/bin/uv:
	@echo "uv is missing: installing it into .uv"
	@$(PYTHON) -m venv .uv && .uv/bin/python -m pip install --quiet --disable-pip-version-check uv

.venv/.installed: requirements.lock pyproject.toml | $(filter .uv/bin/uv,$(UV))
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation-package none -e .
	@touch $@
