"""Algorithm 1 on a painted table: it learns, it survives kills at any point, and repeated updates are the same."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.learner import Update
from tabletop_interaction.agents.learning.loop import learn, open_one_process
from tabletop_interaction.agents.learning.run_folder import (
    HistoryLine,
    RunFolder,
    lock_run,
    open_run,
    read_history,
)
from tabletop_interaction.envs import Arena, Grasp, PickOutcome, count_interactions, read_interactions
from tabletop_interaction.envs.records.picture_format import PictureFormat
from tabletop_interaction.errors import FolderInUse, ForeignFolder, InvalidConfiguration, RobotFault
from tabletop_interaction.files import read_json_lines
from tabletop_interaction.seals import keep_sealed_lines
from tabletop_interaction.segmentation.config import NetworkConfig
from tabletop_interaction.segmentation.training.config import TrainingConfig
from tabletop_interaction.segmentation.training.trainer import learning_rate

pytestmark = pytest.mark.usefixtures("one_thread_for_all")

CONFIG = LearningConfig(
    interactions=9,
    update_interval=3,
    steps_per_interaction=1,
    training=TrainingConfig(batch_size=2, network=NetworkConfig(end_channels=2, code_channels=8, refining_channels=2)),
    least_belief=0.0,
    random_share=0.0,
    follow_share=0.0,
    seed=1,
)


@pytest.fixture(scope="module")
def small_table(painted_table: Callable[..., Any]) -> Callable[..., Any]:
    """A painted table on which a random pick is likely to hit the square."""

    class SmallTable(painted_table):  # type: ignore[misc, valid-type]
        def __init__(self, faults: int = 0) -> None:
            super().__init__()
            self.arena = Arena(-0.06, 0.06, -0.06, 0.06)
            self._faults = faults

        def reset(self, rng: np.random.Generator, *, new_scene: bool) -> int:
            super().reset(rng, new_scene=new_scene)
            self._square = rng.uniform(-0.03, 0.03, 2)
            return 0

        def pick(self, x: float, y: float, angle: float) -> Grasp:
            if self._faults:
                self._faults -= 1
                raise RobotFault("the arm stopped", recoverable=True)
            return super().pick(x, y, angle)

    return SmallTable


class Recorder:
    """A callback that remembers, and may stop a run like a kill does."""

    def __init__(self, stop_at: int = 0, stop_after_update: int = 0) -> None:
        self.lines: list[HistoryLine] = []
        self.updates: list[Update] = []
        self._stop_at = stop_at
        self._stop_after_update = stop_after_update

    def interacted(self, line: HistoryLine) -> None:
        self.lines.append(line)
        if line.number == self._stop_at:
            raise KeyboardInterrupt

    def updated(self, update: Update, network: Callable[[], Any]) -> None:
        self.updates.append(update)
        if update.interactions == self._stop_after_update:
            raise KeyboardInterrupt


def run(config: LearningConfig, path: Path, backend: Any, callback: Recorder | None = None) -> RunFolder:
    folder = open_run(path, config)
    with open_one_process(config, folder, backend=backend) as workers:
        learn(config, folder, workers, callback or Recorder())
    return folder


def check_whole(folder: RunFolder, config: LearningConfig) -> None:
    """Every interaction stands once in the history, every update once in the updates, all steps were made."""
    history = read_history(folder)
    assert [line.number for line in history] == list(range(1, config.interactions + 1))
    ids = [row.interaction_id for row in read_interactions(folder.records, columns=[])]
    assert sorted(line.id for line in history) == sorted(ids)
    updates = read_json_lines(folder.updates)
    assert [line["interactions"] for line in updates] == [3, 6, 9]
    assert updates[-1]["step"] == updates[-1]["steps_planned"] == config.steps_planned
    seconds = [line.seconds for line in history]
    assert seconds == sorted(seconds)


@pytest.fixture(scope="module")
def one_thread_for_all() -> Iterator[None]:
    """`one_thread` for what the tests of this module share."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def finished(
    small_table: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory, one_thread_for_all: None
) -> tuple[RunFolder, Path]:
    """A finished run, and the state that it had after its first update; both are only read."""
    path = tmp_path_factory.mktemp("finished")

    class Copying(Recorder):
        def updated(self, update: Update, network: Callable[[], Any]) -> None:
            if update.interactions == CONFIG.update_interval:
                shutil.copy(path / "run" / "state.pt", path / "early.pt")

    return run(CONFIG, path / "run", small_table(), Copying()), path / "early.pt"


def test_pushes_are_learned_from_and_resume(pushing_table: Callable[..., Any], tmp_path: Path) -> None:
    config = replace(CONFIG, primitive="push", follow_share=1.0)
    with pytest.raises(KeyboardInterrupt):
        run(config, tmp_path / "run", pushing_table(), Recorder(stop_at=5))
    folder = run(config, tmp_path / "run", pushing_table())
    history = read_history(folder)
    assert [line.number for line in history] == list(range(1, 10))
    assert {row.primitive for row in read_interactions(folder.records, columns=[])} == {"push"}
    moved = {row.interaction_id: row.pushed.moved for row in read_interactions(folder.records, columns=[])}  # type: ignore[union-attr]
    assert [line.moved for line in history] == [moved[line.id] for line in history]
    assert sum(line.moved for line in history) >= 3
    updates = read_json_lines(folder.updates)
    assert updates[-1]["step"] == updates[-1]["steps_planned"]
    assert updates[-1]["objects"] >= 2


def test_a_run_of_one_primitive_does_not_resume_with_the_other(tmp_path: Path) -> None:
    open_run(tmp_path / "run", replace(CONFIG, primitive="push"))
    with pytest.raises(ForeignFolder, match=r"config\.primitive is 'push' there and 'pick' now"):
        open_run(tmp_path / "run", CONFIG)


def test_a_run_from_before_there_were_pushes_resumes_with_picks(tmp_path: Path) -> None:
    folder = open_run(tmp_path / "run", CONFIG)
    request = json.loads(folder.request.read_text())
    del request["config"]["primitive"], request["checksum"], request["run"]
    folder.request.write_text(json.dumps(request))
    with pytest.warns(UserWarning, match="earlier version"):
        open_run(tmp_path / "run", CONFIG)
    with pytest.raises(ForeignFolder, match=r"config\.primitive is 'pick' there and 'push' now"):
        open_run(tmp_path / "run", replace(CONFIG, primitive="push"))


def test_it_starts_at_random_and_then_chooses_what_the_network_proposes(finished: tuple[RunFolder, Path]) -> None:
    folder, _ = finished
    check_whole(folder, CONFIG)
    history = read_history(folder)
    assert {line.policy for line in history[:3]} == {"random"}
    assert all(line.view is None and line.score is None for line in history[:3])
    assert any(line.hypotheses for line in history[3:])
    assert any(line.grasped and line.moved for line in history)
    assert folder.model.exists()


def test_what_has_moved_is_picked_again_before_anything_is_learned(
    small_table: Callable[..., Any], tmp_path: Path
) -> None:
    config = replace(CONFIG, interactions=25, update_interval=25, follow_share=1.0, policy="hypothesis")
    with pytest.raises(KeyboardInterrupt):
        run(config, tmp_path / "run", small_table(), Recorder(stop_at=24))
    history = read_history(RunFolder(tmp_path / "run"))
    after_a_grasp = [line for before, line in pairwise(history) if before.grasped]
    assert len(after_a_grasp) > 5
    assert {line.policy for line in after_a_grasp} == {"hypothesis"}
    assert np.mean([line.grasped for line in after_a_grasp]) > 0.8


def test_the_policy_random_never_asks_the_network(small_table: Callable[..., Any], tmp_path: Path) -> None:
    config = replace(CONFIG, policy="random", interactions=6)
    history = read_history(run(config, tmp_path / "run", small_table()))
    assert {(line.policy, line.hypotheses) for line in history} == {("random", 0)}


def test_the_learning_rate_warms_up_and_is_annealed_at_the_last_step() -> None:
    config = LearningConfig(interactions=200, steps_per_interaction=3, growth=1.5)
    rates = [learning_rate(step, config.schedule) for step in range(config.steps_planned)]
    assert rates[0] < 0.1 * max(rates)
    assert rates[-1] < 0.02 * max(rates)
    steps = [config.steps_until(number) for number in range(0, 201, 25)]
    assert steps[0] == 0
    assert steps[-1] == config.steps_planned == 600
    assert steps[4] < 300


def test_without_an_object_no_step_is_made_and_later_updates_make_up_for_it(
    painted_table: Callable[..., Any], small_table: Callable[..., Any], tmp_path: Path
) -> None:
    class Empty(painted_table):  # type: ignore[misc, valid-type]
        def pick(self, x: float, y: float, angle: float) -> Grasp:
            super().pick(x, y, angle)
            self._held = False
            return Grasp(PickOutcome.NOTHING_THERE)

    config = replace(CONFIG, policy="random")
    callback = Recorder(stop_after_update=6)
    with pytest.raises(KeyboardInterrupt):
        run(config, tmp_path / "run", Empty(), callback)
    assert [update.step for update in callback.updates] == [0, 0]
    assert callback.updates[-1].background > 0 or callback.updates[-1].objects == 0
    assert not (tmp_path / "run" / "model.safetensors").exists()
    folder = run(config, tmp_path / "run", small_table(), callback := Recorder())
    assert read_json_lines(folder.updates)[-1]["step"] == config.steps_planned


@pytest.mark.parametrize("stop_at", [1, 3, 4, 8])
def test_a_stopped_run_resumes_and_loses_nothing(small_table: Callable[..., Any], tmp_path: Path, stop_at: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(CONFIG, tmp_path / "run", small_table(), Recorder(stop_at=stop_at))
    before = read_history(RunFolder(tmp_path / "run"))
    folder = run(CONFIG, tmp_path / "run", small_table())
    check_whole(folder, CONFIG)
    assert read_history(folder)[:stop_at] == before


def test_a_row_without_a_line_and_a_torn_line_are_repaired(small_table: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(CONFIG, tmp_path / "run", small_table(), Recorder(stop_at=5))
    folder = RunFolder(tmp_path / "run")
    lines = folder.history.read_bytes().splitlines(keepends=True)
    folder.history.write_bytes(b"".join(lines[:4]) + lines[4][:20])
    run(CONFIG, tmp_path / "run", small_table())
    check_whole(folder, CONFIG)
    lost, found = json.loads(lines[4]), read_json_lines(folder.history)[4]
    changed = {"seconds", "checksum"}
    assert {key: found[key] for key in lost.keys() - changed} == {key: lost[key] for key in lost.keys() - changed}


def test_an_update_that_is_made_again_gives_the_same_network(
    finished: tuple[RunFolder, Path], small_table: Callable[..., Any], tmp_path: Path
) -> None:
    folder, early = finished
    # As if the state had never been written after the third interaction.
    shutil.copytree(folder.path, tmp_path / "again")
    shutil.copy(early, tmp_path / "again" / "state.pt")
    (tmp_path / "again" / "pictures" / "pictures.json").unlink()
    again = run(CONFIG, tmp_path / "again", small_table())
    one, two = (torch.load(run_folder.state, weights_only=True) for run_folder in (folder, again))
    for part in ("average", "trainer"):
        weights = [state[part] if part == "average" else state[part]["network"] for state in (one, two)]
        for name in weights[0]:
            torch.testing.assert_close(weights[0][name], weights[1][name], rtol=0, atol=0)
    check_whole(again, CONFIG)


def test_the_same_seed_gives_the_same_picks_and_weights_and_another_one_does_not(
    finished: tuple[RunFolder, Path], small_table: Callable[..., Any], tmp_path: Path
) -> None:
    folders = finished[0], run(CONFIG, tmp_path / "again", small_table())
    picks = [[row.pick_place for row in read_interactions(one.records, columns=[])] for one in folders]
    assert picks[0] == picks[1]
    reasons = [[(line.policy, line.view, line.score, line.moved) for line in read_history(one)] for one in folders]
    assert reasons[0] == reasons[1]
    one, two = (load_file(folder.model) for folder in folders)
    assert all(one[name].equal(two[name]) for name in one.keys() | two.keys())
    other = run(replace(CONFIG, seed=2, interactions=3), tmp_path / "other", small_table())
    assert [row.pick_place for row in read_interactions(other.records, columns=[])] != picks[0][:3]


def test_processor_time_goes_on_where_it_stopped_and_has_no_evaluations(
    small_table: Callable[..., Any], tmp_path: Path
) -> None:
    class Evaluating(Recorder):
        """Works for a second of processor time at each update, which is no work of the run."""

        def updated(self, update: Update, network: Callable[[], Any]) -> None:
            with clock.stopped():
                began = time.process_time()
                while time.process_time() - began < 1.0:
                    pass
            super().updated(update, network)

    folder = open_run(tmp_path / "run", CONFIG)
    clock = folder.clock
    assert clock is not None
    began = time.process_time()
    with (
        pytest.raises(KeyboardInterrupt),
        open_one_process(CONFIG, folder, backend=small_table()) as workers,
    ):
        learn(CONFIG, folder, workers, Evaluating(stop_after_update=6))
    spent = time.process_time() - began
    first = read_json_lines(folder.updates)[-1]["cpu_seconds"]
    assert 0 < first <= spent - 2.0 + 0.1
    resumed = run(CONFIG, tmp_path / "run", small_table())
    last = read_json_lines(resumed.updates)[-1]["cpu_seconds"]
    assert last > first


def test_the_processor_time_of_a_run_that_did_not_count_it_stays_unknown(
    finished: tuple[RunFolder, Path], tmp_path: Path
) -> None:
    shutil.copytree(finished[0].path, tmp_path / "run")
    updates = tmp_path / "run" / "updates.jsonl"
    lines = [{key: each for key, each in line.items() if key != "checksum"} for line in read_json_lines(updates)]
    run_id = lines[0].pop("run")
    without = [{key: each for key, each in line.items() if key not in ("cpu_seconds", "run")} for line in lines]
    keep_sealed_lines(updates, without, run_id)
    assert open_run(tmp_path / "run", CONFIG).clock is None


def test_a_finished_run_is_left_as_it_is(
    finished: tuple[RunFolder, Path], small_table: Callable[..., Any], tmp_path: Path
) -> None:
    shutil.copytree(finished[0].path, tmp_path / "run")
    stamp = (tmp_path / "run" / "state.pt").stat().st_mtime_ns
    folder = run(CONFIG, tmp_path / "run", small_table(), callback := Recorder())
    assert folder.state.stat().st_mtime_ns == stamp
    assert count_interactions(folder.records) == 9
    assert [update.interactions for update in callback.updates] == [9]


def test_interactions_are_repeated_after_a_passing_fault_and_end_with_a_lasting_one(
    small_table: Callable[..., Any], tmp_path: Path
) -> None:
    check_whole(run(CONFIG, tmp_path / "run", small_table(faults=2)), CONFIG)
    with pytest.raises(RobotFault, match="the arm stopped"):
        run(CONFIG, tmp_path / "stuck", small_table(faults=99))


def test_another_configuration_and_a_foreign_folder_are_refused(
    finished: tuple[RunFolder, Path], tmp_path: Path
) -> None:
    with pytest.raises(ForeignFolder, match="update_interval is 3 there and 4 now"):
        open_run(finished[0].path, replace(CONFIG, update_interval=4))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("chapter one")
    with pytest.raises(ForeignFolder, match="something else"):
        open_run(tmp_path / "mine", CONFIG)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_run_from_before_episodes_had_a_length_had_25_steps_in_each(tmp_path: Path) -> None:
    folder = open_run(tmp_path / "run", CONFIG)
    asked = json.loads(folder.request.read_text())
    assert asked["config"].pop("steps_per_episode") == 25
    del asked["run"], asked["checksum"]
    folder.request.write_text(json.dumps(asked))
    open_run(tmp_path / "run", CONFIG)
    with pytest.raises(ForeignFolder, match="steps_per_episode is 25 there and 100 now"):
        open_run(tmp_path / "run", replace(CONFIG, steps_per_episode=100))


def test_a_run_from_before_there_were_formats_has_png(tmp_path: Path) -> None:
    lossless = replace(CONFIG, pictures=PictureFormat("png"))
    folder = open_run(tmp_path / "run", lossless)
    asked = json.loads(folder.request.read_text())
    assert asked["config"].pop("pictures") == {"picture_format": "png", "jpeg_step": 8}
    del asked["run"], asked["checksum"]
    folder.request.write_text(json.dumps(asked))
    open_run(tmp_path / "run", lossless)
    with pytest.raises(ForeignFolder, match="picture_format is 'png' there and 'jpeg' now"):
        open_run(tmp_path / "run", CONFIG)


def test_a_run_from_before_certain_negatives_weighed_more_resumes_with_the_weight_0(tmp_path: Path) -> None:
    evenly = replace(CONFIG, training=replace(CONFIG.training, hard_weight=0.0))
    folder = open_run(tmp_path / "run", evenly)
    asked = json.loads(folder.request.read_text())
    assert asked["config"]["training"].pop("hard_weight") == 0
    del asked["run"], asked["checksum"]
    folder.request.write_text(json.dumps(asked))
    open_run(tmp_path / "run", evenly)
    with pytest.raises(ForeignFolder, match=r"hard_weight is 0\.0 there and 10\.0 now"):
        open_run(tmp_path / "run", CONFIG)


def test_a_run_from_before_there_were_lab_files_resumes(tmp_path: Path) -> None:
    folder = open_run(tmp_path / "run", CONFIG)
    asked = json.loads(folder.request.read_text())
    assert asked["config"].pop("config", "absent") is None
    del asked["run"], asked["checksum"]
    folder.request.write_text(json.dumps(asked))
    open_run(tmp_path / "run", CONFIG)
    with pytest.raises(ForeignFolder, match=r"config is None there and 'lab\.yaml' now"):
        open_run(tmp_path / "run", replace(CONFIG, config="lab.yaml"))


def test_two_processes_do_not_learn_in_one_folder(tmp_path: Path) -> None:
    with lock_run(tmp_path / "run"), pytest.raises(FolderInUse, match="another process"), lock_run(tmp_path / "run"):
        pass


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"interactions": 0}, "interactions is 0"), ({"random_share": 2.0}, "random_share"), ({"growth": 0.0}, "growth")],
)
def test_settings_outside_their_range_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidConfiguration, match=said):
        LearningConfig(**wrong)


def test_network_and_updates_that_are_lost_are_made_again_from_the_state(
    finished: tuple[RunFolder, Path], small_table: Callable[..., Any], tmp_path: Path
) -> None:
    shutil.copytree(finished[0].path, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    model, updates = folder.model.read_bytes(), folder.updates.read_bytes()
    folder.model.write_bytes(model[:-1] + bytes([model[-1] ^ 1]))
    folder.updates.write_bytes(updates.replace(b'"step"', b'"stop"', 1))
    with pytest.warns(UserWarning, match=r"updates\.jsonl is damaged .* made again from the state"):
        run(CONFIG, folder.path, small_table())
    assert folder.model.read_bytes() == model
    assert folder.updates.read_bytes() == updates
