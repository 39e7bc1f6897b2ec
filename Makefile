# The course's commands; `make help` lists them. GNU make 3.81 (macOS) is enough.

# Options of `make course`, with the names of the notebooks' parameters.
PROFILE ?= smoke
DATA ?= data
MODEL ?=
ARTIFACTS ?= artifacts
# FROM=training starts at that notebook; empty resumes where the last run stopped, or else starts at the first notebook.
FROM ?=
# Options pass through the environment, so that the shell does not interpret their characters. (make writes $ as $$.)
export PROFILE DATA MODEL ARTIFACTS FROM
OPTIONS = --profile "$$PROFILE" --data "$$DATA" --model "$$MODEL" --artifacts "$$ARTIFACTS"

# The first Python of a version that the course supports; without one, python3, for which install.py prints an error.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$python && exit; done; echo python3)

# These would put packages of another Python before those of .venv.
unexport PYTHONPATH PYTHONHOME

INSTALL = $(PYTHON) requirements/install.py
BIN = .venv/bin

.DEFAULT_GOAL := help
.PHONY: help course test coverage lab check audit notebooks serve soak bench gpu-check data tiny-base lock clean install install-dev

help: ## show these commands
	@echo "make course     set up what is missing, then run the six notebooks (PROFILE, DATA, MODEL, ARTIFACTS, FROM)"
	@echo "make test       set up what is missing, then run the tests"
	@echo "make lab        open the notebooks in JupyterLab"
	@echo "make check      lint, types, notebook hygiene"
	@echo "make audit      look up known vulnerabilities of the locked packages, over the network"
	@echo "make notebooks  run the course and refresh the outputs committed in notebooks/"
	@echo "make serve      start the whole service but Grafana as plain processes (PROFILE, ...)"
	@echo "make soak       overload the gateway while its servers fail, for 20 minutes (SOAK_S=seconds)"
	@echo "make coverage   run the tests and list the lines that they do not reach"
	@echo "make bench      measure, and write benchmarks/results"
	@echo "make gpu-check  measure on this machine's GPU (WEIGHTS=folder of a model, WHEELS=folder of missing packages)"
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
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/jupyter lab --allow-root notebooks

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

# WHEELS is for a GPU machine without network: its own Python is used, and wheels that it lacks are installed beside.
WHEELS ?=
WEIGHTS ?=
PACKAGES = artifacts/gpu-packages

gpu-check: $(if $(WHEELS),,install)
	$(if $(WHEELS),$(PYTHON) -m pip install --quiet --no-index --no-deps --upgrade --target $(PACKAGES) $(WHEELS)/*.whl)
	PYTHONPATH=.:$(PACKAGES) $(if $(WHEELS),$(PYTHON),$(BIN)/python) -m benchmarks.gpu_check "$(WEIGHTS)"

# Resolve all extras together into all.txt, then derive the sets' locks, with hashes, from its versions. torch and CUDA
# are left out of the sets, because install.py installs torch's CPU or CUDA build. LOCK_OPTIONS=--upgrade updates.
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
	$(VERSIONS) | $(COMPILE) $(PARTS) --extra build --extra serve --extra track --extra dev --extra scale \
		--output-file requirements/dev.txt
	$(VERSIONS) | $(COMPILE) $(PARTS) --extra build --extra serve --extra track --extra gpu --output-file requirements/gpu.txt
	grep '^uv==' requirements/all.txt | $(BIN)/uv pip compile - --quiet --universal --python-version 3.11 \
		--no-emit-index-url --no-header --no-annotate --generate-hashes --output-file requirements/uv.txt

clean: ## delete everything that a run makes
	rm -rf artifacts unsloth_compiled_cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find . -path ./.venv -prune -o -type d '(' -name __pycache__ -o -name .ipynb_checkpoints ')' -prune -exec rm -rf {} +
