"""A learning process killed with -9 at random moments: the run ends as if nothing had happened, and loses nothing."""

from __future__ import annotations

import inspect
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tabletop_interaction.envs import count_interactions
from tabletop_interaction.files import read_json_lines

INTERACTIONS = 20
SCRIPT = """
import importlib.util
import sys
from pathlib import Path
import torch
from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.loop import learn, open_one_process
from tabletop_interaction.agents.learning.run_folder import lock_run, open_run
from tabletop_interaction.segmentation.config import NetworkConfig
from tabletop_interaction.segmentation.training.config import TrainingConfig

class Silent:
    def interacted(self, line): pass
    def updated(self, update, network): pass

torch.set_num_threads(1)
spec = importlib.util.spec_from_file_location("example_backend", sys.argv[2])
table = importlib.util.module_from_spec(spec)
spec.loader.exec_module(table)
network = NetworkConfig(end_channels=2, code_channels=8, refining_channels=2)
training = TrainingConfig(batch_size=2, network=network)
config = LearningConfig(
    interactions=int(sys.argv[3]), update_interval=4, steps_per_interaction=1, training=training, least_belief=0.0,
    primitive=sys.argv[4],
)
with lock_run(Path(sys.argv[1])):
    folder = open_run(Path(sys.argv[1]), config)
    with open_one_process(config, folder, backend=table.PaintedTable()) as workers:
        learn(config, folder, workers, Silent())
"""


@pytest.mark.parametrize("primitive", ["pick", "push"])
def test_a_killed_learner_resumes_and_loses_no_finished_interaction(
    painted_table: Any, tmp_path: Path, primitive: str
) -> None:
    rng, out, finished = random.Random(1), tmp_path / "run", 0
    backend = inspect.getfile(painted_table.observe)
    command = [sys.executable, "-c", SCRIPT, str(out), backend, str(INTERACTIONS), primitive]
    for _ in range(2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _wait_until_more_than(finished, out, process)
        time.sleep(rng.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        finished, before = count_interactions(out / "records"), finished
        assert finished > before
    subprocess.run(command, check=True, timeout=300)
    history, updates = read_json_lines(out / "history.jsonl"), read_json_lines(out / "updates.jsonl")
    assert [line["number"] for line in history] == list(range(1, INTERACTIONS + 1))
    assert len({line["id"] for line in history}) == count_interactions(out / "records") == INTERACTIONS
    assert [line["interactions"] for line in updates] == [4, 8, 12, 16, 20]
    assert updates[-1]["objects"] == 0 or updates[-1]["step"] == updates[-1]["steps_planned"] == INTERACTIONS


def _wait_until_more_than(count: int, out: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not (out / "records" / "meta.json").exists() or count_interactions(out / "records") <= count:
        assert process.poll() is None, "the learner ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.05)
