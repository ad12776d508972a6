"""Evaluations: perfect masks give AP 1, and what is written says what was measured."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.dom import minidom

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PilImage
from pycocotools.coco import COCO

from tabletop_interaction.benchmarks.segmentation.evaluation import (
    GENERALISATION_SETS,
    Evaluation,
    EvaluationSet,
    GeneralisationFigures,
    evaluate,
    footnotes,
    foreign_set,
    results_table,
    with_interval,
)
from tabletop_interaction.benchmarks.segmentation.page import (
    evaluation_rows,
    model_labels,
    picture_quality,
    precision_recall_svg,
    write_report,
)
from tabletop_interaction.errors import InvalidLabelSet
from tabletop_interaction.segmentation.coco import write_label_set
from tabletop_interaction.segmentation.proposals import Segments
from tests.browser import problems_of
from tests.picture_zoo import exif, upright

SHAPE = (344, 430)


class BrightSquares:
    """A stand-in that finds squares by their brightness, all but those at least as bright as `blind_from`."""

    def __init__(self, blind_from: int = 256) -> None:
        self._blind_from = blind_from

    def segment(self, image: NDArray[np.uint8]) -> Segments:
        levels = [level for level in np.unique(image[:, :, 0]).tolist() if 50 < level < self._blind_from]
        masks = np.array([image[:, :, 0] == level for level in levels], np.bool_).reshape(-1, *image.shape[:2])
        scores = np.linspace(0.9, 0.5, len(levels), dtype=np.float32)
        return Segments(masks, np.zeros((len(levels), 4), np.float32), scores)


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> EvaluationSet:
    """Picture n holds n + 1 squares, each of another brightness."""
    folder = tmp_path_factory.mktemp("squares")
    (folder / "images").mkdir()
    stacks = []
    for number in range(4):
        picture, masks = np.full((*SHAPE, 3), 20, np.uint8), np.zeros((number + 1, *SHAPE), np.bool_)
        for square in range(number + 1):
            masks[square, 100:160, 20 + 90 * square : 80 + 90 * square] = True
            picture[masks[square]] = 100 + 30 * square
        cv2.imwrite(str(folder / "images" / f"{number}.png"), picture)
        stacks.append(masks)
    write_label_set(folder / "labels.json", [f"{number}.png" for number in range(4)], stacks)
    return foreign_set(folder / "labels.json", folder / "images")


@pytest.fixture(scope="module")
def perfect(squares: EvaluationSet) -> Evaluation:
    return evaluate(BrightSquares(), squares, "perfect")


@pytest.fixture(scope="module")
def blind(squares: EvaluationSet) -> Evaluation:
    return evaluate(BrightSquares(blind_from=130), squares, "blind")


def test_perfect_masks_give_ap_1_at_every_iou(perfect: Evaluation) -> None:
    assert set(perfect.figures.ap.values()) == {1.0}
    assert perfect.figures.ap_50_95 == 1.0
    assert perfect.intervals.ap[0.5] == (1.0, 1.0)
    assert perfect.figures.mean_matched_iou == 1.0
    assert perfect.seconds > 0


def test_finding_one_square_a_picture_recalls_four_of_ten(blind: Evaluation) -> None:
    assert blind.figures.recall_at_precision[0.5] == {0.5: 0.4, 0.7: 0.4, 0.9: 0.4}
    assert blind.figures.ap[0.5] == pytest.approx(41 / 101)


def test_a_picture_is_ranked_by_its_own_ap(blind: Evaluation) -> None:
    assert picture_quality(blind.figures.matches) == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])


def test_the_table_has_a_column_a_model_and_says_its_settings(
    perfect: Evaluation, blind: Evaluation, squares: EvaluationSet
) -> None:
    table = results_table([perfect, blind], squares)
    assert [column.header for column in table.columns] == ["figure", "perfect", "blind"]
    # There are four pictures.
    assert next(iter(table.columns[1].cells)) == "100.0 [100.0, 100.0]*"
    notes = "\n".join(footnotes([perfect, blind], squares))
    assert "perfect: COCO 101-point AP" in notes
    assert "maxDets 4" in notes
    assert "not our pictures" in notes
    assert "* unreliable: fewer than 10 pictures" in notes


def test_intervals_are_reliable_from_ten_pictures_on(perfect: Evaluation) -> None:
    assert [replace(perfect.intervals, pictures=count).reliable for count in (9, 10)] == [False, True]
    assert with_interval(0.5, (0.25, 0.75)) == "50.0 [25.0, 75.0]"


def test_a_report_holds_figures_curves_detections_and_pictures(
    perfect: Evaluation, blind: Evaluation, squares: EvaluationSet, tmp_path: Path
) -> None:
    extra = {"perfect": {"checkpoint": "a"}, "blind": {"checkpoint": "b"}}
    for path in write_report(tmp_path, [perfect, blind], squares, extra):
        assert path.stat().st_size > 0
    results = json.loads((tmp_path / "results.json").read_text())
    first, second = results["models"]
    assert (first["model"], first["checkpoint"], first["ap"]["0.5"]) == ("perfect", "a", 1.0)
    assert (second["objects"], second["pictures"], second["proposals"]) == (10, 4, 4)
    assert "objects < 100 px ignored" in first["settings"]
    assert results["set"]["renderer"] is None


def test_the_page_shows_figures_intervals_and_pictures_of_each_model_and_fits_a_telephone(
    perfect: Evaluation, blind: Evaluation, squares: EvaluationSet, tmp_path: Path, read_page: Any, browser: Any
) -> None:
    write_report(tmp_path, [perfect, blind], squares, {"perfect": {}, "blind": {}})
    path = tmp_path / "results.html"
    page = read_page(path.read_text())
    assert "perfect 100.0 % AP at IoU 0.5; unreliable 95 % interval 100 to 100 %; at IoU 0.3: 100.0 %" in page.text
    assert "blind AP 40.6 %" in page.text
    assert "AP at IoU 0.5 100.0 [100.0, 100.0]*" in page.text
    assert "best: AP 25 %, 4 objects, 3.png" in page.text
    assert len(page.addresses) == 2 * 4
    assert problems_of(browser, path) == []


def test_written_detections_are_coco_results(perfect: Evaluation, squares: EvaluationSet, tmp_path: Path) -> None:
    write_report(tmp_path, [perfect], squares, {"perfect": {}})
    loaded = COCO(squares.name).loadRes(str(tmp_path / "perfect.detections.json"))
    assert len(loaded.anns) == 10
    assert {annotation["area"] for annotation in loaded.anns.values()} == {3600}


def test_figures_that_do_not_exist_are_null_and_a_dash(squares: EvaluationSet, tmp_path: Path) -> None:
    nothing = evaluate(BrightSquares(blind_from=0), squares, "nothing")
    write_report(tmp_path, [nothing], squares, {"nothing": {}})
    (model,) = json.loads((tmp_path / "results.json").read_text())["models"]
    assert model["mean_matched_iou"] is None
    assert model["ap"]["0.3"] == 0
    assert "-" in list(results_table([nothing], squares).columns[1].cells)


def test_curves_are_a_line_a_model_in_each_panel(perfect: Evaluation, blind: Evaluation) -> None:
    document = minidom.parseString(precision_recall_svg([perfect, blind]))
    styles = [path.getAttribute("style") for path in document.getElementsByTagName("path")]
    for colour in ("c0", "c1"):
        # A line in each of the three panels, and one in the legend.
        assert sum(f"stroke: var(--{colour})" in style for style in styles) == 3 + 1


def test_the_sheet_outlines_misses_in_green_and_hits_in_yellow(
    perfect: Evaluation, blind: Evaluation, squares: EvaluationSet
) -> None:
    green, yellow = np.array([40, 220, 80]), np.array([255, 221, 51])
    all_found, one_found = (
        np.vstack([np.hstack(row) for row in evaluation_rows(e, squares)]) for e in (perfect, blind)
    )
    assert all_found.shape == one_found.shape
    assert (all_found == yellow).all(-1).sum() > 2 * (one_found == yellow).all(-1).sum() > 0
    assert (one_found == green).all(-1).sum() > (all_found == green).all(-1).sum()


def test_model_labels_are_short_and_different() -> None:
    paths = ["default", "runs/a/model.safetensors", "runs/b/model.safetensors", "old/a.safetensors"]
    assert model_labels(paths) == ["default", "a", "b", "a-2"]
    others = ["nets.mine:Own", "maskrcnn=x/best.pth", "sam=sam_vit_b.pth", "x=y/model.onnx", "maskrcnn=x/second.pth"]
    assert model_labels(others) == ["Own", "maskrcnn", "sam", "x=y", "maskrcnn-2"]


def test_drops_are_counted_from_a(perfect: Evaluation, blind: Evaluation, squares: EvaluationSet) -> None:
    evaluations = dict(zip(GENERALISATION_SETS, [perfect, perfect, perfect, blind], strict=True))
    result = GeneralisationFigures("m", dict.fromkeys(GENERALISATION_SETS, squares), evaluations)
    assert result.drop("generalisation-B", 0.5) == 0
    assert result.drop("generalisation-D", 0.5) == pytest.approx(60 / 101)
    assert result.document()["sets"]["generalisation-D"]["drop_from_a"]["0.5"] == pytest.approx(60 / 101)
    names, _, at_05, _ = (list(column.cells) for column in result.table().columns)
    assert names[1] == "B: train on test"
    assert (names[-1], at_05[-1]) == ("drop A to D, points", "59.4")
    assert at_05[3].startswith("40.6 [")  # the brackets hold what the note below says: the interval
    assert sum("in brackets 95 % bootstrap" in line for line in result.footnotes()) == 1
    assert sum("maxDets" in line for line in result.footnotes()) == 1
    (chart,) = result.page().charts
    assert [(bar.value, bar.low) for bar in chart.series[1].bars][:3] == [(100, 100)] * 3
    assert chart.series[1].bars[3].value == pytest.approx(100 * 41 / 101)


def test_labels_drawn_on_upright_pictures_are_scored_on_upright_pictures(tmp_path: Path) -> None:
    stored, masks = np.full((*SHAPE, 3), 20, np.uint8), []
    stored[100:160, 20:80] = 200
    for orientation in (3, 6):
        PilImage.fromarray(stored).save(tmp_path / f"{orientation}.png", exif=exif(orientation))
        masks.append(upright(stored[..., 0] == 200, orientation)[None])
    write_label_set(tmp_path / "labels.json", ["3.png", "6.png"], masks)
    data = foreign_set(tmp_path / "labels.json", tmp_path)
    perfect = evaluate(BrightSquares(), data, "m", longer_side=SHAPE[1])
    assert perfect.figures.ap[0.75] == 1
    assert data.describe()["pictures_turned_upright"] == 2
    # The sheet shows the square, below its caption and right of its margin, where it is in the upright picture.
    (best, *_), *_ = evaluation_rows(perfect, data)
    assert (best[24 + 214, 6 + 380] == 200).all()
    as_stored = foreign_set(tmp_path / "labels.json", tmp_path, "stored")
    assert evaluate(BrightSquares(), as_stored, "m", longer_side=SHAPE[1]).figures.ap[0.75] < 0.6


def test_a_label_file_without_its_pictures_is_refused(squares: EvaluationSet, tmp_path: Path) -> None:
    with pytest.raises(InvalidLabelSet, match="no folder"):
        foreign_set(Path(squares.name), tmp_path / "nowhere")
    with pytest.raises(InvalidLabelSet, match="not in the folder"):
        foreign_set(Path(squares.name), tmp_path)
