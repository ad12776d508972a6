# Each target makes its own virtual environment with the tested versions; nothing but Python 3.11 and pip is needed.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_INTERACTIONS ?= 200
DEMO_PICTURES ?= 60
DEMO_OUT ?= demo

.PHONY: help demo test lint format type pictures clean

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(VENV)/installed  ## Let the simulated Sawyer learn what objects are, from nothing, in some minutes, and write a report
	$(BIN)/tabletop learn --interactions $(DEMO_INTERACTIONS) --set test --pictures $(DEMO_PICTURES) \
		--sets-dir $(DEMO_OUT)/sets --out $(DEMO_OUT)/learn
	$(BIN)/tabletop show $(DEMO_OUT)/learn/records --out $(DEMO_OUT)/pictures

test: $(VENV)/installed-dev  ## Run all tests
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/installed-dev  ## Check style and import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/installed-dev  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# mypy and import-linter see the package under its one name only as a wheel, away from the checkout.
type: $(VENV)/installed-dev  ## Check types and import layers of the built wheel
	VENV=$(abspath $(VENV)) sh .ci/check_wheel

pictures: $(VENV)/installed  ## Make the README's pictures anew
	$(BIN)/tabletop assets --out docs/pictures
	$(BIN)/tabletop collect --interactions 200 --policy hypothesis --out $(DEMO_OUT)/readme-records
	$(BIN)/tabletop show $(DEMO_OUT)/readme-records --grasped-only --rows 4 --sheets 1 --out $(DEMO_OUT)/readme
	cp $(DEMO_OUT)/readme/sheet_00.jpg docs/pictures/interactions.jpg

clean:  ## Remove the virtual environment and the demo
	rm -rf $(VENV) $(DEMO_OUT)

$(VENV)/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/installed-dev: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev,ray]'
	touch $@ $(VENV)/installed
