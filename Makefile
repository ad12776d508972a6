# Each target makes its own virtual environment with the tested versions; it needs only Python 3.11, 3.12 or 3.13 and
# pip. The first Python that is found is taken; `make demo PYTHON=python3.13` takes another.
ACCEPTED := import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for each in python3.11 python3.12 python3.13 python3 python; do \
	$$each -c '$(ACCEPTED)' 2>/dev/null && echo $$each && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
ROS_VENV ?= .venv-ros
DEMO_INTERACTIONS ?= 200
DEMO_PICTURES ?= 60
DEMO_PUSHES ?= 60
DEMO_OUT ?= demo

CHECK_PYTHON = "$(or $(PYTHON),false)" -c '$(ACCEPTED)' 2>/dev/null || { \
	echo "$(if $(PYTHON),$(PYTHON) is not,there is no) Python 3.11, 3.12 or 3.13 with venv; install one, or name it" \
	"with PYTHON=/path/to/python3.12"; exit 1; }

# The names of targets, which make separates by spaces.
ifneq ($(words $(VENV)) $(words $(ROS_VENV)),1 1)
$(error VENV and ROS_VENV are one name each without spaces; choose another folder)
endif

# PYTHON, if the caller has given it.
NAMED_PYTHON := $(if $(filter command environment,$(origin PYTHON)),$(PYTHON))
WHICH_PYTHON := import sys; print(sys.base_prefix, "{}.{}".format(*sys.version_info))

# An environment keeps the Python and the folder that it was made with; it is said to have been moved where the programs in it name
# another folder.
define CHECK_VENV
import os, re, subprocess, sys
folder, named, which = sys.argv[1:]
remedy = f"remove it with `rm -r {folder}`, or name another folder with VENV"
has = "{}.{}".format(*sys.version_info)
if named:
    asked = subprocess.run([named, "-c", which], capture_output=True, text=True).stdout.strip()
    if asked != f"{sys.base_prefix} {has}":
        sys.exit(f"{folder} has Python {has} of {sys.base_prefix}, not {named}; {remedy}")
pip = os.path.join(folder, "bin", "pip")
head = open(pip, errors="replace").read(4096) if os.path.exists(pip) else ""
made = re.search(r"/[^\n\"]*(?=/bin/python)", head)
if made and os.path.realpath(made[0]) != os.path.realpath(folder):
    sys.exit(f"{folder} was made in {os.path.dirname(made[0])}; {remedy}")
endef
export CHECK_VENV

.PHONY: help demo test test-faults test-ros fault-table speed-gate lint format type docs pictures tables python clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(VENV)/installed  ## Learn what objects are from scratch with the simulated Sawyer, in some minutes, and write a report
	$(BIN)/tabletop learn --pushes $(DEMO_PUSHES) --interactions $(DEMO_INTERACTIONS) --steps-per-interaction 2 \
		--pictures $(DEMO_PICTURES) --sets-dir $(DEMO_OUT)/sets --out $(DEMO_OUT)/learn
	$(BIN)/tabletop show $(DEMO_OUT)/learn/records --out $(DEMO_OUT)/pictures

test: $(VENV)/installed-dev  ## Run all tests
	$(BIN)/python -m pytest -n auto

test-faults: $(VENV)/installed-dev  ## Try all attacks (damage, kills, full disks, wrong input) and print their counts
	$(BIN)/python -m pytest -n auto --all-faults tests/faults

test-ros: $(ROS_VENV)/made  ## Run the tests of cameras and robot on a real ROS 1 master; needs Debian's ROS 1
	@$(ROS_VENV)/bin/python -c 'import netifaces, rosmaster, rospy, sensor_msgs.msg' || { echo \
		"ROS 1 is missing; .ci/install_ros installs it from Debian"; exit 1; }
	$(ROS_VENV)/bin/python -m pytest tests/real/ros

fault-table: $(ROS_VENV)/made  ## Try the faults of a robot on a stand-in and print their table; SDK=1 takes Rethink's SDK
	$(ROS_VENV)/bin/python -m pytest tests/real/ros/test_fault_table.py $(if $(SDK),--sdk)

speed-gate: $(VENV)/installed-dev  ## Compare ratios of speeds with the committed ones
	$(BIN)/python -m tabletop_interaction.benchmarks.speed.gate

lint: $(VENV)/installed-dev  ## Check style and import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/installed-dev  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Only in the built wheel do mypy and import-linter see the package under its one name.
type: $(VENV)/installed-dev  ## Check types and import layers of the built wheel
	VENV="$(abspath $(VENV))" sh .ci/check_wheel

docs: $(VENV)/installed-dev  ## Build the documentation site in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

pictures: $(VENV)/installed  ## Make the README's pictures again
	$(BIN)/tabletop assets --out docs/pictures
	$(BIN)/tabletop collect --interactions 60 --steps-per-episode 8 --policy hypothesis --record instances --seed 1 \
		--out $(DEMO_OUT)/readme-records
	$(BIN)/python docs/pictures/interactions.py --records $(DEMO_OUT)/readme-records --out $(DEMO_OUT)/readme
	cp $(DEMO_OUT)/readme/sheet_00.jpg docs/pictures/interactions.jpg

tables: $(VENV)/installed  ## Make the tables of README and docs again from docs/results
	$(BIN)/python -m tabletop_interaction.benchmarks.results

# No target of the environment itself is out of date by it.
.PHONY: right-python
right-python:
	@$(if $(NAMED_PYTHON),$(CHECK_PYTHON))
	@test ! -e $(VENV) || { \
		$(BIN)/python -c '' 2>/dev/null || { \
			echo "$(VENV) has no Python that runs; remove it with \`rm -r $(VENV)\`"; exit 1; }; \
		$(BIN)/python -c "$$CHECK_VENV" $(VENV) "$(NAMED_PYTHON)" '$(WHICH_PYTHON)'; }

python:
	@$(CHECK_PYTHON)
	@echo $(PYTHON)

clean:  ## Remove the virtual environments and the demo
	rm -rf $(VENV) $(ROS_VENV) $(DEMO_OUT)

# With the Python of an environment that is there already, as one with another build of PyTorch.
define MAKE_VENV
@test -x $(BIN)/python || { $(CHECK_PYTHON); }
@$(BIN)/python -c 'import pip' 2>/dev/null || "$$(test -x $(BIN)/python && echo $(BIN)/python || echo "$(PYTHON)")" -m venv $(VENV)
endef

$(VENV)/installed: setup.cfg pyproject.toml constraints.txt | right-python
	$(MAKE_VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[learn]'
	touch $@

$(VENV)/installed-dev: setup.cfg pyproject.toml constraints.txt | right-python
	$(MAKE_VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@ $(VENV)/installed

# rospy comes from Debian's Python; this environment finds the tested versions first, then Debian's packages.
$(ROS_VENV)/made: $(VENV)/installed-dev
	@/usr/bin/python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo \
		"/usr/bin/python3 has to be Python 3.11, as in Debian 12"; exit 1; }
	@test -d $(VENV)/lib/python3.11 || { echo "$(VENV) has to be of Python 3.11, too; make clean, then make test-ros" \
		"PYTHON=python3.11"; exit 1; }
	/usr/bin/python3 -m venv --clear --without-pip --system-site-packages $(ROS_VENV)
	echo "import site; site.addsitedir('$(abspath $(VENV))/lib/python3.11/site-packages')" \
		> $(ROS_VENV)/lib/python3.11/site-packages/tested_versions.pth
	touch $@
