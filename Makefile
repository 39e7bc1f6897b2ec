# The course's commands; `make help` lists them. GNU make 3.81 (macOS) is enough.

# Options of `make course`, the same names as in the notebooks' parameters cell.
PROFILE ?= smoke
DATA ?= data
MODEL ?=
ARTIFACTS ?= artifacts
# FROM=training starts at that notebook; empty resumes where the last run stopped, or starts afresh.
FROM ?=
# Through the environment, so that the shell takes no letter of a path for its own. (make wants $$ for $.)
export PROFILE DATA MODEL ARTIFACTS FROM
OPTIONS = --profile "$$PROFILE" --data "$$DATA" --model "$$MODEL" --artifacts "$$ARTIFACTS"

# The first Python in the range the course takes; if there is none, install.py says so in a sentence.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$python && exit; done; echo python3)

INSTALL = $(PYTHON) requirements/install.py
BIN = .venv/bin

.DEFAULT_GOAL := help
.PHONY: help course test coverage lab check audit notebooks serve soak bench gpu-check data tiny-base lock clean install install-dev

help: ## show these commands
	@echo "make course     set up what is missing, then run the six notebooks (PROFILE, DATA, MODEL, ARTIFACTS, FROM)"
	@echo "make test       set up what is missing, then run the tests"
	@echo "make lab        open the notebooks in JupyterLab"
	@echo "make check      lint, types, notebook hygiene"
	@echo "make audit      ask for known vulnerabilities of the locked packages, over the network"
	@echo "make notebooks  run the course and refresh the outputs committed in notebooks/"
	@echo "make serve      start model server, gateway, web app, Redis and Prometheus as plain processes (PROFILE, ...)"
	@echo "make soak       hurt the gateway under too much load for 20 minutes (SOAK_S=seconds)"
	@echo "make coverage   run the tests and say which lines they do not reach"
	@echo "make bench      measure, and write benchmarks/results"
	@echo "make gpu-check  measure on the GPU at hand (WEIGHTS=folder of a model, WHEELS=folder of missing packages)"
	@echo "make data       write data/ again from tools/dataset; make tiny-base pretrains data/tiny_base"
	@echo "make lock       resolve requirements/*.txt again from pyproject.toml"
	@echo "make clean      delete artifacts and caches; .venv stays"

install:
	@$(INSTALL) --set auto

install-dev:
	@$(INSTALL) --set auto dev

course: install
	@$(BIN)/course run $(OPTIONS) --from "$$FROM"

TEST = $(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: install-dev
	$(TEST)

coverage: install-dev
	$(TEST) --cov=course_utils --cov=tools

lab: install
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/jupyter lab notebooks

check: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/notebooks/test_hygiene.py

audit: install-dev
	$(BIN)/python -m tools.vulnerabilities

notebooks: install
	@$(BIN)/course run --from setup
	@$(BIN)/python -m tools.notebooks.outputs

serve: install
	@$(BIN)/python -m deploy.serve $(OPTIONS)

SOAK_S ?= 1200

soak: install-dev
	SOAK_S=$(SOAK_S) $(BIN)/pytest -q -s tests/stack/test_soak.py

data: install-dev
	$(BIN)/python -m tools.dataset.build

tiny-base: install-dev
	$(BIN)/python -m tools.tiny_base --output data/tiny_base

bench: install-dev
	$(BIN)/python -m benchmarks

# On a borrowed machine with no network: its own Python, and beside it the packages that it lacks.
WHEELS ?=
WEIGHTS ?=
PACKAGES = artifacts/gpu-packages

gpu-check: $(if $(WHEELS),,install)
	$(if $(WHEELS),$(PYTHON) -m pip install --quiet --no-index --no-deps --upgrade --target $(PACKAGES) $(WHEELS)/*.whl)
	PYTHONPATH=.:$(PACKAGES) $(if $(WHEELS),$(PYTHON),$(BIN)/python) -m benchmarks.gpu_check "$(WEIGHTS)"

# One resolution of everything, then its parts with hashes. torch and CUDA stay out of the parts: install.py takes
# torch's CPU or CUDA build, whose files differ. LOCK_OPTIONS=--upgrade takes newer versions.
COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --no-emit-index-url \
	--no-header
PARTS = --no-annotate --generate-hashes --constraint - $(shell sed -nE \
	's/^(torch|torchvision|triton|cuda-[a-z]+|nvidia-[a-z0-9-]+)==.*/--no-emit-package \1/p' requirements/all.txt)
VERSIONS = sed 's/ ;.*//' requirements/all.txt

lock: install-dev
	$(COMPILE) --all-extras $(LOCK_OPTIONS) --output-file requirements/all.txt
	$(MAKE) lock-parts

.PHONY: lock-parts
lock-parts:
	$(VERSIONS) | $(COMPILE) $(PARTS) --extra build --extra serve --output-file requirements/course.txt
	$(VERSIONS) | $(COMPILE) $(PARTS) --extra build --extra serve --extra dev --extra scale --output-file requirements/dev.txt
	$(VERSIONS) | $(COMPILE) $(PARTS) --extra build --extra serve --extra track --extra gpu --output-file requirements/gpu.txt
	grep '^uv==' requirements/all.txt | $(BIN)/uv pip compile - --quiet --universal --python-version 3.11 \
		--no-emit-index-url --no-header --no-annotate --generate-hashes --output-file requirements/uv.txt

clean: ## everything a run makes
	rm -rf artifacts unsloth_compiled_cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find . -path ./.venv -prune -o -type d '(' -name __pycache__ -o -name .ipynb_checkpoints ')' -prune -exec rm -rf {} +
