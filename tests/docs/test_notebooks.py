"""Each notebook of the docs runs from its first cell to its last one, with few interactions, in an empty folder."""

import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.ipynb"))
SMALL = {
    "INTERACTIONS": "2",
    # Two picks at random would give no mask to learn from.
    "LEARN_OPTIONS": "--model default --steps-per-interaction 1 --set val --pictures 2",
    "EPISODES": "1",
}


def read(path):
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def said(notebook):
    """What the cells printed."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)


@pytest.fixture
def executed(tmp_path, monkeypatch):
    """Run a notebook with small settings, its commands those of this environment."""
    for name, value in SMALL.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(name):
        notebook = read(next(path for path in NOTEBOOKS if path.stem == name))
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
        return said(notebook)

    return run


def test_learning_ends_with_figures_of_the_new_network(executed, tmp_path):
    assert "2 interactions:" in executed("learn-in-ten-minutes")
    assert (tmp_path / "runs" / "learn" / "report.html").is_file()


def test_the_agent_of_the_notebook_plays_in_the_benchmark(executed, tmp_path):
    text = executed("your-agent-in-the-benchmark")
    assert all(f"{name}: " in text for name in ("simple_agent:SimpleAgent", "full", "random"))
    assert (tmp_path / "runs" / "benchmark" / "results.html").is_file()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs_and_installs_the_package_first(path):
    notebook = read(path)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell for cell in code if cell.outputs or cell.execution_count] == []
    assert '"pip", "install"' in code[0].source
