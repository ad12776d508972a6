"""Actors and a learner on Ray: a killed process is replaced, and no interaction is lost or counted twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.learner import Update
from tabletop_interaction.agents.learning.loop import learn
from tabletop_interaction.agents.learning.ray_workers import open_ray_workers
from tabletop_interaction.agents.learning.run_folder import HistoryLine, open_run
from tabletop_interaction.envs import count_interactions
from tabletop_interaction.files import read_json_lines
from tabletop_interaction.segmentation.config import NetworkConfig
from tabletop_interaction.segmentation.training.config import TrainingConfig

pytest.importorskip("ray")

NETWORK = NetworkConfig(end_channels=2, code_channels=8, refining_channels=2)
CONFIG = LearningConfig(
    interactions=12,
    update_interval=4,
    steps_per_interaction=1,
    training=TrainingConfig(batch_size=2, network=NETWORK),
)


class Killing:
    """Kills a process of each kind in mid-run."""

    def __init__(self) -> None:
        self.updates: list[Update] = []

    def interacted(self, line: HistoryLine) -> None:
        if line.number == 2:
            kill("ray::RemoteActor")
        if line.number == 6:
            kill("ray::RemoteLearner")

    def updated(self, update: Update, network: Callable[[], Any]) -> None:
        self.updates.append(update)


def kill(name: str) -> None:
    psutil = pytest.importorskip("psutil")
    processes = psutil.Process().children(recursive=True)
    next(process for process in processes if any(name in part for part in process.cmdline())).kill()


def test_killed_actors_and_learners_are_replaced_and_nothing_is_lost(tmp_path: Path) -> None:
    folder = open_run(tmp_path / "run", CONFIG)
    with open_ray_workers(CONFIG, folder, 2) as workers:
        learn(CONFIG, folder, workers, callback := Killing())
        assert workers.deaths == 2
    history = read_json_lines(folder.history)
    assert [line["number"] for line in history] == list(range(1, 13))
    assert len({line["id"] for line in history}) == 12 == count_interactions(folder.records)
    reported = [update.interactions for update in callback.updates]
    assert reported == [line["interactions"] for line in read_json_lines(folder.updates)] == [4, 8, 12]
