"""The report says what the run's files say, needs nothing but itself, and can be written at every stage of a run."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tabletop_interaction.agents.labelling.frame_labels import label_interaction
from tabletop_interaction.envs import PickPlace, RecordInteractions, TabletopInteraction, open_interactions
from tabletop_interaction.envs.backend import PickOutcome
from tabletop_interaction.errors import ForeignFolder, UnreadableRecords
from tabletop_interaction.reports.charts import Marks
from tabletop_interaction.reports.learning_page import ap_chart, duration, period, picks_chart, write_report
from tabletop_interaction.reports.learning_pictures import open_album
from tabletop_interaction.reports.learning_run import read_learning_run

BASELINE = {"0.3": 21.5, "0.5": 11.5, "0.75": 2.5}


@pytest.fixture
def page_of(read_page: Any) -> Callable[[Path], Any]:
    """Writes the report of a run and reads it."""
    return lambda run: read_page(write_report(run).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def recorded(
    painted_table: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
    learning_run: Any,
    history_of: Any,
    evaluation_of: Any,
    update_of: Any,
) -> Path:
    """Twelve real interactions, four of them grasps, two evaluations and two updates."""
    run = tmp_path_factory.mktemp("runs") / "first"
    env = RecordInteractions(TabletopInteraction(painted_table()), run / "records")
    env.reset(seed=0)
    places = [(-0.2, -0.1), (0.15, 0.1), (0.0, -0.1), (-0.1, 0.12)]
    for number in range(12):
        backend = env.unwrapped.backend  # type: ignore[attr-defined]
        x, y = backend._square
        aim = (x, y) if number % 3 == 0 else (-np.sign(x) * 0.2, -np.sign(y) * 0.2)
        action = PickPlace(*aim, 0.0, *places[number // 3]).to_action(backend.arena)
        env.step(np.clip(action, -1, 1).astype(np.float32))
    env.close()
    history = []
    for number, row in enumerate(open_interactions(run / "records"), start=1):
        facts = {"id": row.interaction_id, "pick_outcome": int(row.pick_outcome), "grasped": row.grasped}
        moved = any(label.moved for label in label_interaction(row) if label.pair == "pick")
        chosen = {"policy": "hypothesis", "view": "view_0", "score": 0.87, "hypotheses": 5} if number > 6 else {}
        history.append(history_of(number, moved=moved, **facts, **chosen))
    return learning_run(
        run,
        history,
        [evaluation_of(at, ap, baseline_ap=BASELINE) for at, ap in ((6, 41.25), (12, 63.44))],
        [update_of(6), update_of(12)],
        {"interactions": 300, "training": {"batch": 32}},
    )


@pytest.fixture(scope="module")
def html(recorded: Path) -> str:
    return write_report(recorded).read_text(encoding="utf-8")


def test_the_page_says_what_the_files_say(html: str, read_page: Any) -> None:
    text = read_page(html).text
    assert "interactions 12 of 300 planned; 30.0 a minute over 24 s of work" in text
    assert "picks that move an object 33 % of the last 6; 33 % of the first 6" in text
    on = "on 30 pictures of val"
    assert f"63.4 % 95 % interval 55 to 71 %; after 12 {on}; 41.2 % after 6; simple baseline: 21.5 %" in text
    assert f"53.4 % 95 % interval 45 to 61 %; after 12 {on}; 31.2 % after 6; simple baseline: 11.5 %" in text
    assert "instance segmentation by interaction, 29 November 2026, 11:01 to 11:12 UTC, seed 7." in text
    lines = "IoU 0.3 63.4 % IoU 0.5 53.4 % IoU 0.75 33.4 %"
    assert f"{lines} simple baseline, IoU 0.3 21.5 % simple baseline, IoU 0.5 11.5 %" in text
    assert "The paper's figures, 45.9 / 22.5 % at IoU 0.3 / 0.5, are from another robot" in text
    assert "50,000 interactions: they are no comparison" in text
    assert "precision 50 % 81.0 % precision 70 % 72.0 % precision 90 % 45.0 %" in text
    assert "last, after 12 AP 63.4 % first, after 6 AP 41.2 %" in text
    assert "held 33.3 %" in text
    assert "nothing there 66.7 %" in text
    assert "Step 36 of 900, learning rate 0.01" in text
    assert "score 0.310 mask 0.270" in text
    assert "masks 24 background 12" in text
    assert "training.batch 32" in text
    assert "hypothesis of score 87 %, one of 5, in view_0. Label: background before" in text


def test_the_page_needs_nothing_but_itself(html: str, read_page: Any) -> None:
    page = read_page(html)
    assert "://" not in html
    assert "@import" not in html
    assert not {"script", "link", "iframe", "object"} & set(page.elements)
    assert page.addresses
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.addresses)


def test_pictures_are_small_jpegs_of_what_they_show(html: str, read_page: Any) -> None:
    pictures = [
        cv2.imdecode(np.frombuffer(base64.b64decode(source.split(",")[1]), np.uint8), cv2.IMREAD_COLOR)
        for source in read_page(html).addresses
    ]
    # The truth of two pictures and their masks at two evaluations, then three panels of the latest eight interactions.
    assert len(pictures) == 6 + 3 * 8
    assert all(picture is not None and picture.shape[1] <= 430 for picture in pictures)
    assert [round(float(picture.mean())) for picture in pictures[:6]] == [150, 100, 100, 151, 101, 101]


def test_kinds_without_a_label_are_counted_and_shown(
    recorded: Path, tmp_path: Path, learning_run: Any, history_of: Any, page_of: Any
) -> None:
    run = Path(shutil.copytree(recorded, tmp_path / "run"))
    ids = open_interactions(run / "records").ids
    kinds = [
        {"pick_outcome": int(PickOutcome.SLIPPED), "moved": True},
        {"pick_outcome": int(PickOutcome.BLOCKED), "moved": True},
        {"pick_outcome": int(PickOutcome.PUSHED_AWAY)},
        {"pick_outcome": int(PickOutcome.HELD), "grasped": True},
        {"pick_outcome": int(PickOutcome.HELD), "grasped": True, "moved": True},
    ]
    history = [history_of(number, id=ids[number], **kind) for number, kind in enumerate(kinds, start=1)]
    text = page_of(learning_run(run, history)).text
    counts = re.findall(r"(\d+ of \d+) interactions \(", text)
    assert counts == ["2 of 5", "1 of 5", "1 of 5"]
    assert "0 of the newest 1 that were held and seen to move" in text


@pytest.mark.parametrize("stage", ["asked", "one interaction", "one evaluation", "an evaluation without pictures"])
def test_every_stage_of_a_run_has_a_page(
    stage: str, tmp_path: Path, learning_run: Any, history_of: Any, evaluation_of: Any, page_of: Any
) -> None:
    history = [] if stage == "asked" else [history_of(1)]
    evaluations = [evaluation_of(0, 12.0)] if "evaluation" in stage else []
    run = learning_run(tmp_path / "run", history, evaluations)
    if stage == "an evaluation without pictures":
        for path in run.glob("evaluations/*/*.png"):
            path.unlink()
    text = page_of(run).text
    assert ("No interaction yet." in text) == (stage == "asked")
    assert ("Its record is missing." in text) == (stage != "asked")
    assert ("No evaluation yet." in text) == ("evaluation" not in stage)
    assert ("No evaluation with pictures yet." in text) == (stage != "one evaluation")
    assert "No update yet." in text
    assert ("12.0 %" in text) == ("evaluation" in stage)


def test_a_held_out_picture_that_is_cut_short_is_shown_as_missing(
    tmp_path: Path, learning_run: Any, evaluation_of: Any, page_of: Any
) -> None:
    run = learning_run(tmp_path / "run", evaluations=[evaluation_of(5, 40.0)])
    broken = run / "evaluations" / "00005" / "1.png"
    broken.write_bytes(broken.read_bytes()[:40])
    page = page_of(run)
    assert len(page.addresses) == 3
    assert page.words.count("missing") == 1


def test_at_most_five_evaluations_are_shown_the_first_and_the_last_among_them(
    tmp_path: Path, learning_run: Any, evaluation_of: Any
) -> None:
    run = learning_run(tmp_path / "run", evaluations=[evaluation_of(at, 50.0) for at in range(0, 2000, 100)])
    html = write_report(run).read_text(encoding="utf-8")
    columns = re.findall(r'<th scope="col"><b>([\d,]+)</b>', html)
    assert len(columns) == 5
    assert (columns[0], columns[-1]) == ("0", "1,900")


def test_a_run_of_an_earlier_version_has_a_page_without_intervals_truth_and_times(
    tmp_path: Path, learning_run: Any, history_of: Any, evaluation_of: Any, page_of: Any
) -> None:
    evaluation = evaluation_of(1, 40.0)
    del evaluation["ap_interval"]
    run = learning_run(tmp_path / "run", [history_of(1, time=None)], [evaluation])
    shutil.rmtree(run / "evaluations" / "truth")
    page = page_of(run)
    assert "AP at IoU 0.3 40.0 % after 1 on 30 pictures of val" in page.text
    of_run, written = page.text.split("This page was written on ")
    assert not re.search(r"\d{4}, \d\d:\d\d", of_run)
    assert re.match(r"\d+ \w+ \d{4} \(UTC\)", written)
    assert "truth" not in page.words
    assert len(page.addresses) == 2


def test_intervals_from_fewer_than_ten_pictures_are_marked_as_unreliable(
    tmp_path: Path, learning_run: Any, evaluation_of: Any, page_of: Any
) -> None:
    few, enough = (
        page_of(learning_run(tmp_path / str(pictures), evaluations=[evaluation_of(0, 40.0, pictures=pictures)])).text
        for pictures in (9, 10)
    )
    assert "unreliable 95 % interval 32 to 48 %" in few
    assert "95 % interval, unreliable (9 pictures)" in few
    assert "unreliable" not in enough


def test_new_scenes_are_marked(recorded: Path, tmp_path: Path, page_of: Any) -> None:
    """The rows of a scene have the same seed and scene number; the first scene begins with the run."""
    run = read_learning_run(recorded)
    album = open_album(run)
    assert album.new_scenes(run.attempts).tolist() == []
    scenes = tuple((0, number // 5) for number in range(12))
    assert replace(album, scenes=scenes).new_scenes(run.attempts).tolist() == [6, 11]
    chart = picks_chart(run, Marks(np.array([11.0]), "new scene"))
    assert chart.legend[-1].label == "new scene"


def test_a_line_that_a_kill_cut_short_is_left_out(
    tmp_path: Path, learning_run: Any, history_of: Any, page_of: Any
) -> None:
    run = learning_run(tmp_path / "run", [history_of(1), history_of(2)])
    history = run / "history.jsonl"
    history.write_bytes(history.read_bytes()[:-9])
    assert [attempt.number for attempt in read_learning_run(run).attempts] == [1]
    assert "interactions 1 30.0 a minute" in page_of(run).text


def test_names_and_settings_cannot_break_the_page(tmp_path: Path, learning_run: Any, page_of: Any) -> None:
    run = learning_run(tmp_path / "a <b> & c", config={"model": "<script>x</script>"})
    page = page_of(run)
    assert "script" not in page.elements
    assert "a <b> & c" in page.text
    assert "model <script>x</script>" in page.text


def test_a_folder_of_something_else_and_damaged_lines_are_named(
    tmp_path: Path, learning_run: Any, history_of: Any
) -> None:
    with pytest.raises(ForeignFolder, match=r"learn\.json"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()
    run = learning_run(tmp_path / "run", [{"number": 1}])
    with pytest.raises(UnreadableRecords, match=r"history\.jsonl is damaged"):
        write_report(run)
    (run / "history.jsonl").write_text("{torn\n{}\n")
    with pytest.raises(UnreadableRecords, match=r"history\.jsonl is damaged"):
        write_report(run)


def test_the_simple_baseline_is_a_level_dashed_line_and_absent_from_runs_of_earlier_versions(
    tmp_path: Path, learning_run: Any, evaluation_of: Any
) -> None:
    evaluations = [evaluation_of(50, 30.0, baseline_ap=BASELINE), evaluation_of(100, 60.0, baseline_ap=BASELINE)]
    known = read_learning_run(learning_run(tmp_path / "run", evaluations=evaluations)).evaluations
    dashed = [line for line in ap_chart(known).series if line.style == "dashed"]
    assert [line.label for line in dashed] == ["simple baseline, IoU 0.3", "simple baseline, IoU 0.5"]
    assert [line.y.tolist() for line in dashed] == [[21.5, 21.5], [11.5, 11.5]]
    assert all(line.x.tolist() == [0.0, 100.0] for line in dashed)
    earlier = read_learning_run(learning_run(tmp_path / "old", evaluations=[evaluation_of(50, 30.0)])).evaluations
    assert not [line for line in ap_chart(earlier).series if line.style == "dashed"]


def test_working_time_is_named_in_two_units_at_most() -> None:
    assert [duration(40), duration(425), duration(7500)] == ["40 s", "7 min", "2 h 05 min"]


def test_a_period_names_the_second_day_only_if_it_is_another() -> None:
    start, end = datetime(2026, 11, 29, 23, 5), datetime(2026, 11, 30, 1, 7)
    assert period([start, start.replace(minute=40)]) == "29 November 2026, 23:05 to 23:40 UTC"
    assert period([start, end]) == "29 November 2026, 23:05, to 30 November 2026, 01:07 UTC"
    assert period([]) == ""
