# Two commands do all the set-up: `make repro` and `make test`.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13; do $$name -c '' 2>/dev/null && echo $$name && exit; done; echo python3)
VENV ?= .venv
override VENV := $(patsubst ~/%,$(HOME)/%,$(VENV))
$(if $(word 2,$(VENV)),$(error VENV=$(VENV): make takes no path with a space in it: give another))
BIN := $(abspath $(VENV))/bin
export PATH := $(BIN):$(PATH)
export PIP_USER := 0
LINT := ruff format --check . && ruff check . && mypy && lint-imports --no-logo
JOBS ?= auto
SCALE = $(shell sed -n 's/^scale: *\([a-z]*\).*/\1/p' params.yaml)

.DEFAULT_GOAL := help

# What comes as source is built with the setuptools of requirements.txt, installed first; pip alone would fetch one unchecked.
PIP := -m pip install --quiet --disable-pip-version-check --no-build-isolation
INSTALL := $(PIP) --require-hashes
BUILDERS := awk '/^[a-z]/ { kept = /^(packaging|setuptools|wheel)==/ } kept && !/^ *\#/' requirements.txt
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"

.PHONY: help repro photos book test verify torture bench review check remote pull lint format browser sshd lock audit clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

# Runs a pipeline and names its report. $(1): its folder with a / at the end, empty for the main one.
define run
@python -m tools.repro --jobs $(JOBS) $(if $(SCHEDULER),--scheduler $(SCHEDULER)) --show $(1)metrics/summary $(if $(1),$(1)dvc.yaml)
@[ -f $(1)reports/$(SCALE)/index.html ] || { cd ./$(1) && python -m stages.report; }
@echo
@echo "Report: $(CURDIR)/$(1)reports/$(SCALE)/index.html"
endef

repro: $(VENV)/.installed ## set up, run every stage that is not up to date (JOBS=2 at a time), show the metrics and the report
	$(call run,)

photos: $(VENV)/.installed ## the same for photographs (photos/params.yaml), with DATASETS_DIR or the official downloads
	$(call run,photos/)

book: $(VENV)/.installed ## the books' own protocols, for days, into results/book (ONLY="K7 T4": some ids or stages, SEEDS="14 15": several)
	@python -m tools.book $(if $(SEEDS),--seeds $(SEEDS)) $(if $(ONLY),--only $(ONLY)) $(if $(filter-out auto,$(JOBS)),--jobs $(JOBS))
	@dvc repro --single-item claims report
	@python -m tools.results

check: $(VENV)/.installed ## check params.yaml, printed.yaml and claims.yaml, say what is in them and what will run
	@python -m tools.check

# The name goes through the environment: a branch may be called anything.
review: export BASE ?= main
review: $(VENV)/.installed ## what this branch changes against BASE=main: Markdown here, plots side by side in review.html
	@python -m tools.review -- "$$BASE"

remote: $(VENV)/.installed-remote ## what sharing by SSH and S3 needs; with URL=ssh://... or s3://... the remote, too
	@$(if $(URL),dvc remote add --default --force storage "$(URL)" && dvc remote modify storage verify true)

pull: $(VENV)/.installed-remote ## fetch the results of this commit from the remote, checked
	@python -m tools.pull

test: $(VENV)/.installed-dev browser sshd ## set up, check format, lint, types and layers, run every test
	@{ $(LINT); } & lint=$$!; \
	python -m pytest -n 3 --dist loadfile --no-loadscope-reorder; tests=$$?; \
	wait $$lint && exit $$tests

verify: $(VENV)/.installed ## run stages again without cache and compare with dvc.lock (STAGES="evaluate@lenet ...", SET="compute.threads=1")
	python -m tools.verify $(STAGES) $(if $(SET),--set $(SET))

torture: $(VENV)/.installed ## kill small pipelines 50 (KILLS=) and 15 times, fill their disks in every stage; 40 minutes
	python -m tests.support.torture --kills $(or $(KILLS),50)
	python -m tests.support.torture --kills 15 --photos
	python -m tests.support.fulldisk
	python -m tests.support.fulldisk --photos

bench: $(VENV)/.installed ## measure all of docs/performance.md (NAMES="training embedding": some) on an idle machine, 30 minutes
	dvc repro download@cifar10 fetch@lite0
	python -m bench $(NAMES)

lint: $(VENV)/.installed-dev ## format, lint, types and layers, checked
	$(LINT)

format: $(VENV)/.installed-dev ## format and mend what can be mended by itself
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

lock: $(VENV)/.installed-dev ## write requirements*.txt from requirements*.in; newer versions by `make lock LOCKED=--upgrade`
	@for name in requirements requirements-remote requirements-dev; do \
	  echo "$$name.txt" && uv pip compile $(LOCK) $(LOCKED) "$$name.in" -o "$$name.txt" || exit; \
	done

audit: $(VENV)/.installed-dev ## look every pinned version up in the package index's list of known vulnerabilities
	@pip-audit --strict --disable-pip --require-hashes --progress-spinner off $(addprefix -r ,$(wildcard requirements*.txt))

clean: ## remove the virtual environment and half-done trainings; outputs stay in DVC's cache
	rm -rf $(VENV) .state photos/.state logs photos/logs relearn.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/.installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit( \
	"Python 3.11, 3.12 or 3.13 is needed, and $(PYTHON) is %d.%d: make PYTHON=python3.11" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BUILDERS) > $(VENV)/builders.txt
	python $(INSTALL) -r $(VENV)/builders.txt
	python $(INSTALL) -r requirements.txt
	python $(PIP) --no-deps --editable .
	@touch $@

$(VENV)/.installed-remote: $(VENV)/.installed requirements-remote.txt
	python $(INSTALL) -r requirements-remote.txt
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	python $(INSTALL) -r requirements-dev.txt
	@touch $@
