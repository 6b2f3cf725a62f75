# make demo   a Rigify character, a few keys, the real backend: out/demo.{blend,bvh,png}
# make test   every test, on Blender 4.5 (and 5.2 where Python 3.13 is found)
# make benchmark  how long things take: out/*.json
# make lint   ruff and pyright
# make addon  the Blender extension: out/limber-<version>.zip
#
# Needs Python 3.11 and make, nothing else; everything lands in .venv (and .venv313) beside this file.
# Other settings:  PIP_FLAGS="--index-url ..."  where packages come from
#                  PYTEST_FLAGS="-k server"     what is tested

PYTHON     ?= $(shell command -v python3.11 || command -v python3)
VENV       := .venv
BIN        := $(VENV)/bin
PIP_FLAGS  ?=
PYTEST_FLAGS ?=

# The first Python 3.13 that really starts (a pyenv shim may exist and refuse), or nothing.
PYTHON313  ?= $(shell for p in python3.13 $(HOME)/.pyenv/versions/3.13*/bin/python3.13; do \
                "$$p" -c "import sys, venv; sys.exit(sys.version_info[:2] != (3, 13))" 2>/dev/null \
                && { echo "$$p"; break; }; done)
VENV313    := .venv313

export HF_HUB_OFFLINE := 1
export LIMBER_PYTHON := $(CURDIR)/$(BIN)/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# In pieces, so that `make -j2 test` has both processors at work to the end; the longest begin.
# A piece in which PYTEST_FLAGS selects nothing (pytest's 5) has not failed.
PIECES45   := test-4.5-blender test-4.5-training test-4.5-backend test-4.5-rest
PIECES52   := test-5.2-blender test-5.2-rest

.PHONY: all demo test test-4.5 test-5.2 $(PIECES45) $(PIECES52) benchmark lint format addon environment clean
all: test

# One stamp per set of extras, so that `make demo` does not wait for what only tests need; each
# order-only after the one before, because two pips must not write one environment at a time (-j).
$(VENV)/.created:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_FLAGS) "setuptools>=77"
	touch $@

$(VENV)/.demo: pyproject.toml $(VENV)/.created
	$(BIN)/python -m pip install --quiet $(PIP_FLAGS) --editable ".[blender]"
	touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.demo
	$(BIN)/python -m pip install --quiet $(PIP_FLAGS) --editable ".[blender,training,test]"
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.test
	$(BIN)/python -m pip install --quiet $(PIP_FLAGS) --editable ".[blender,training,test,dev]"
	touch $@

# Blender 5.2's Python has no torch: its tests reach a backend in the 3.11 environment, as at a user's.
$(VENV313)/.test: pyproject.toml
	"$(PYTHON313)" -m venv $(VENV313)
	$(VENV313)/bin/python -m pip install --quiet $(PIP_FLAGS) "bpy>=5.2,<5.3" pytest pytest-timeout hypothesis scipy
	touch $@

environment: $(VENV)/.test $(if $(PYTHON313),$(VENV313)/.test)

demo: $(VENV)/.demo
	mkdir -p out
	$(BIN)/limber-blender demo --out out

TEST45     = $(BIN)/python -m pytest $(1) $(PYTEST_FLAGS) || [ $$? -eq 5 ]
TEST52     = $(VENV313)/bin/python -m pytest $(1) $(PYTEST_FLAGS) || [ $$? -eq 5 ]

test: test-5.2-blender test-4.5-blender test-4.5 test-5.2
test-4.5: $(PIECES45)

test-4.5-blender: environment
	$(call TEST45,tests/blender_addon)

test-4.5-training: environment
	$(call TEST45,tests/training)

test-4.5-backend: environment
	$(call TEST45,tests/backend)

test-4.5-rest: environment
	$(call TEST45,tests $(foreach t,blender_addon training backend,--ignore=tests/$(t)))

ifneq ($(PYTHON313),)
test-5.2: $(PIECES52)

test-5.2-blender: environment
	$(call TEST52,tests/blender_addon)

test-5.2-rest: environment
	$(call TEST52,tests/motion tests/test_build_addon.py)
else
test-5.2:
	@echo "Blender 5.2: skipped, no Python 3.13 found (set PYTHON313=/path/to/python3.13)"

test-5.2-blender:
endif

benchmark: environment
	LIMBER_BENCHMARKS=out $(BIN)/python -m pytest -m benchmark $(PYTEST_FLAGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.dev
	$(BIN)/ruff format .

addon: $(VENV)/.created
	$(BIN)/python build_addon.py --out out

clean:
	rm -rf $(VENV) $(VENV313) out build *.egg-info
