"""Collectors on Ray: a dead one is replaced and counted, and nothing that was finished is lost."""

import pytest

from tabletop_interaction.agents.learning.collecting import Collection, collect_with_ray
from tabletop_interaction.envs import count_interactions

pytest.importorskip("ray")


def test_a_killed_collector_is_replaced_and_the_work_is_finished(tmp_path):
    psutil = pytest.importorskip("psutil")
    told = collect_with_ray(Collection(tmp_path / "records", seed=0), 30, workers=2, already_there=0)
    progress = [next(told)]
    collectors = [
        process
        for process in psutil.Process().children(recursive=True)
        if any("ray::Collector" in part for part in process.cmdline())
    ]
    collectors[0].kill()
    progress += list(told)
    assert sum(step.deaths for step in progress) == 1
    assert count_interactions(tmp_path / "records") == 30
