# Two commands do all the set-up: `make repro` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
export PATH := $(BIN):$(PATH)
ifdef DATASETS_DIR
override DATASETS_DIR := $(abspath $(DATASETS_DIR))
export DATASETS_DIR
endif
LINT := ruff format --check . && ruff check . && mypy
SCALE = $(shell sed -n 's/^scale: *\([a-z]*\).*/\1/p' params.yaml)

.DEFAULT_GOAL := help
PHOTO_SCALE = $(shell sed -n 's/^scale: *\([a-z]*\).*/\1/p' photos/params.yaml)

INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes
# What comes as source is built with the setuptools of requirements-build.txt; pip alone would fetch one unchecked.
BUILT := --no-build-isolation
TOOLS = $(PYTHON) -m venv "$$tools" && "$$tools/bin/python" $(INSTALL) -r requirements-tools.txt
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"

.PHONY: help repro photos test verify torture bench review check remote pull lint format browser sshd lock audit clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

repro: $(VENV)/.installed check ## set up, run every stage that is not up to date, show the metrics and where the report lies
	@python -m tools.recover
	dvc repro
	@[ -f reports/$(SCALE)/index.html ] || python -m stages.report
	@dvc metrics show
	@echo
	@echo "Report: $(CURDIR)/reports/$(SCALE)/index.html"

photos: $(VENV)/.installed ## the same for photographs (photos/params.yaml), with DATASETS_DIR or the official downloads
	@cd photos && PYTHONPATH=.. python -m stages.check && PYTHONPATH=.. python -m tools.recover
	cd photos && dvc repro report
	@[ -f photos/reports/$(PHOTO_SCALE)/index.html ] || { cd photos && PYTHONPATH=.. python -m stages.report; }
	@cd photos && dvc metrics show
	@echo
	@echo "Report: $(CURDIR)/photos/reports/$(PHOTO_SCALE)/index.html"

check: $(VENV)/.installed ## check params.yaml and printed.yaml, and say what is in them
	@python -m stages.check

# The name goes through the environment: a branch may be called anything.
review: export BASE ?= main
review: $(VENV)/.installed ## what this branch changes against BASE=main: Markdown here, plots side by side in review.html
	@python -m tools.review -- "$$BASE"

remote: $(VENV)/.installed-remote ## what sharing by SSH and S3 needs; with URL=ssh://... or s3://... the remote of both pipelines, too
	@$(if $(URL),for folder in . photos; do \
	  dvc --cd $$folder remote add --default --force storage "$(URL)" && \
	  dvc --cd $$folder remote modify storage verify true || exit; done)

pull: $(VENV)/.installed-remote ## fetch the results of this commit from the remote, checked; PIPELINE=photos those of the photographs
	python -m tools.check_remote $(or $(PIPELINE),.) --listings
	dvc --cd $(or $(PIPELINE),.) pull

test: $(VENV)/.installed-test browser sshd ## set up, check format, lint and types, run every test
	@{ $(LINT); } & lint=$$!; \
	python -m pytest -n 3 --dist loadfile --no-loadscope-reorder; tests=$$?; \
	wait $$lint && exit $$tests

verify: $(VENV)/.installed ## run stages again without cache and compare with dvc.lock (STAGES="evaluate@lenet ...", SET="compute.threads=1")
	python -m tools.verify $(STAGES) $(if $(SET),--set $(SET))

torture: $(VENV)/.installed ## kill small pipelines 50 (KILLS=) and 15 times, fill their disks in every stage; 45 minutes
	python -m tools.torture --kills $(or $(KILLS),50)
	python -m tools.torture --kills 15 --photos
	python -m tools.fulldisk
	python -m tools.fulldisk --photos

bench: $(VENV)/.installed-cluster ## measure all of README's "How fast" (NAMES="training embedding": some) on an idle machine, 25 minutes
	dvc repro download@cifar10 fetch@lite0
	python -m bench $(NAMES)

lint: $(VENV)/.installed-test ## format, lint and types, checked
	$(LINT)

format: $(VENV)/.installed-test ## format and mend what can be mended by itself
	ruff format .
	ruff check --fix .

browser: # a headless Chromium opens the report in a test; installed where that needs no question
	@command -v chromium chromium-browser google-chrome >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq chromium >/dev/null; \
	else echo "No Chromium on the PATH: the test that opens the report is skipped."; fi

sshd: # an OpenSSH server holds a remote in a test; the package would start it as a service, hence policy-rc.d, and not under systemd
	@PATH="$$PATH:/usr/sbin" command -v sshd >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ ! -d /run/systemd/system ]; then \
	  [ -e /usr/sbin/policy-rc.d ] || { trap 'rm /usr/sbin/policy-rc.d' EXIT; \
	    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; }; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends openssh-server >/dev/null; \
	else echo "No sshd on the PATH: the tests that share results by SSH are skipped."; fi

lock: ## write requirements*.txt from requirements*.in; versions stay as they are, newer ones by `make lock LOCKED=--upgrade`
	@tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && $(TOOLS) && \
	for name in requirements $(filter-out requirements,$(basename $(wildcard requirements*.in))); do \
	  echo "$$name.txt" && "$$tools/bin/uv" pip compile $(LOCK) $(LOCKED) "$$name.in" -o "$$name.txt" || exit; \
	done

audit: ## look every pinned version up in the package index's list of known vulnerabilities
	@tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && $(TOOLS) && \
	"$$tools/bin/pip-audit" --strict --disable-pip --require-hashes --progress-spinner off $(addprefix -r ,$(wildcard requirements*.txt))

clean: ## remove the virtual environment and half-done trainings; outputs stay in DVC's cache
	rm -rf $(VENV) .state photos/.state logs photos/logs .mypy_cache .ruff_cache .pytest_cache

$(VENV)/.installed: requirements.txt requirements-build.txt
	@$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info >= (3, 11) else 'Python 3.11 or later is needed: make PYTHON=...')"
	$(PYTHON) -m venv $(VENV)
	python $(INSTALL) -r requirements-build.txt
	python $(INSTALL) $(BUILT) -r requirements.txt
	@touch $@

$(VENV)/.installed-remote: $(VENV)/.installed requirements-remote.txt
	python $(INSTALL) $(BUILT) -r requirements-remote.txt
	@touch $@

$(VENV)/.installed-cluster: $(VENV)/.installed requirements-cluster.txt
	python $(INSTALL) $(BUILT) -r requirements-cluster.txt
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed requirements-test.txt
	python $(INSTALL) $(BUILT) -r requirements-test.txt
	@touch $@
