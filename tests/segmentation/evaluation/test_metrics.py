"""Average precision: known numbers, laws, and a comparison with pycocotools."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tabletop_interaction.arrays import Mask
from tabletop_interaction.errors import InvalidDetections, InvalidLabelSet
from tabletop_interaction.segmentation.coco import Detections, LabelledImage, LabelledObject, LabelSet
from tabletop_interaction.segmentation.evaluation.metrics import AveragePrecision, average_precision
from tabletop_interaction.segmentation.evaluation.precision_recall import (
    IOU_THRESHOLDS,
    area_under_curve,
    bootstrap_intervals,
    coco_101_point,
    precision_recall,
)
from tabletop_interaction.segmentation.rle import rle_from_mask

HEIGHT, WIDTH = 60, 80
Box = tuple[int, int, int, int]
Scored = tuple[Box, float]

# Two pictures with two objects each, every one 20 x 20 px.
LEFT, RIGHT, EMPTY = (0, 0, 20, 20), (40, 0, 20, 20), (0, 35, 20, 20)


def box_mask(box: Box) -> Mask:
    x, y, width, height = box
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[y : y + height, x : x + width] = True
    return mask


def label_set_of(
    pictures: Sequence[Sequence[Box]], crowds: Sequence[Sequence[bool]] | None = None, first_id: int = 1
) -> LabelSet:
    entries = [
        (picture, box, bool(crowds[picture][index]) if crowds else False)
        for picture, boxes in enumerate(pictures)
        for index, box in enumerate(boxes)
    ]
    return LabelSet(
        tuple(LabelledImage(first_id + p, f"{p}.png", HEIGHT, WIDTH) for p in range(len(pictures))),
        tuple(
            LabelledObject(number, first_id + picture, rle_from_mask(box_mask(box)), crowd)
            for number, (picture, box, crowd) in enumerate(entries)
        ),
    )


def detections_of(pictures: Sequence[Sequence[Scored]], first_id: int = 1) -> dict[int, Detections]:
    return {
        first_id + picture: Detections(
            tuple(rle_from_mask(box_mask(box)) for box, _ in scored),
            np.array([score for _, score in scored], np.float64),
        )
        for picture, scored in enumerate(pictures)
    }


def evaluate(truth: Sequence[Sequence[Box]], found: Sequence[Sequence[Scored]], **options: Any) -> AveragePrecision:
    return average_precision(label_set_of(truth), detections_of(found), **options)


def test_ap_by_hand() -> None:
    # Ranked: right, wrong, right, right, wrong; the fourth object is missed. Precision at the right ones is
    # 1, 2/3, 3/4, made monotone 1, 3/4, 3/4, at recalls 1/4, 2/4, 3/4. Of the 101 recalls 26 (0 to 0.25)
    # see 1, 50 (0.26 to 0.75) see 3/4 and 25 see 0.
    result = evaluate(
        [[LEFT, RIGHT], [LEFT, RIGHT]],
        [[(LEFT, 0.9), (EMPTY, 0.8), (RIGHT, 0.6)], [(LEFT, 0.7), (EMPTY, 0.1)]],
    )
    for iou in IOU_THRESHOLDS:
        assert result.ap[iou] == pytest.approx((26 + 50 * 3 / 4) / 101, abs=1e-9)
        assert result.area_ap[iou] == pytest.approx((1 + 3 / 4 + 3 / 4) / 4, abs=1e-9)
        assert result.recall_at_precision[iou] == {0.5: 0.75, 0.7: 0.75, 0.9: 0.25}
    assert result.ap_50_95 == pytest.approx(63.5 / 101, abs=1e-9)
    assert (result.images, result.objects, result.ignored_objects, result.detections) == (2, 4, 0, 5)
    assert result.precision[0.5][[0, 25, 26, 75, 76]] == pytest.approx([1, 1, 0.75, 0.75, 0])


def test_a_detection_is_correct_up_to_its_iou() -> None:
    # 20 x 20 against 20 x 15 inside it: IoU exactly 3/4, right up to 0.75 and wrong beyond.
    result = evaluate([[LEFT]], [[((0, 0, 20, 15), 1.0)]])
    assert {iou: ap for iou, ap in result.ap.items() if ap} == dict.fromkeys(
        (0.3, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75), 1.0
    )
    assert result.ap_50_95 == pytest.approx(0.6)
    assert result.mean_matched_iou == pytest.approx(0.75)


def test_perfect_detections_give_exactly_one() -> None:
    for truth in ([[LEFT]], [[LEFT, RIGHT], [EMPTY], []], [[LEFT]] * 49, [[LEFT, RIGHT, EMPTY]] * 31):
        result = evaluate(truth, [[(box, 0.5) for box in boxes] for boxes in truth])
        assert set(result.ap.values()) | set(result.area_ap.values()) | {result.ap_50_95} == {1.0}
        assert result.mean_matched_iou == 1.0


def test_no_detections_give_zero() -> None:
    result = evaluate([[LEFT], [RIGHT]], [[], []])
    assert set(result.ap.values()) | set(result.area_ap.values()) | {result.ap_50_95} == {0.0}
    assert set(result.recall_at_precision[0.5].values()) == {0.0}
    assert np.isnan(result.mean_matched_iou)
    assert result.detections == 0
    assert bootstrap_intervals(result.matches, samples=20).ap_50_95 == (0.0, 0.0)


def test_a_mask_over_two_equal_objects_has_iou_one_half_with_each() -> None:
    beside = (20, 0, 20, 20)
    result = evaluate([[LEFT, beside]], [[((0, 0, 40, 20), 1.0)]])
    assert result.mean_matched_iou == 0.5
    assert result.ap[0.5] == pytest.approx(51 / 101)
    assert result.ap[0.55] == 0.0


def test_a_wrong_detection_below_all_right_ones_costs_nothing() -> None:
    truth = [[LEFT, RIGHT]]
    found: list[Scored] = [(LEFT, 0.9), (RIGHT, 0.8)]
    assert evaluate(truth, [[*found, (EMPTY, 0.1)]]).ap == evaluate(truth, [found]).ap


def test_a_wrong_detection_above_costs() -> None:
    assert evaluate([[LEFT]], [[(EMPTY, 0.9), (LEFT, 0.1)]]).ap[0.5] == pytest.approx(0.5)


def test_the_second_detection_of_an_object_is_wrong() -> None:
    result = evaluate([[LEFT, RIGHT]], [[(LEFT, 0.9), (LEFT, 0.8), (RIGHT, 0.7)]])
    assert result.ap[0.5] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_objects_under_a_hundred_pixels_are_neither_found_nor_missed() -> None:
    small = (60, 40, 9, 11)
    for found in ([(LEFT, 0.5)], [(LEFT, 0.5), (small, 0.9), (small, 0.8)]):
        result = evaluate([[LEFT, small]], [found])
        assert result.ap[0.5] == 1.0
        assert (result.objects, result.ignored_objects) == (1, 1)
    assert evaluate([[LEFT, small]], [[(LEFT, 0.5)]], min_object_area=0).ap[0.5] < 1.0


def test_no_detection_is_dropped_from_a_crowded_picture() -> None:
    found: list[Scored] = [(EMPTY, 0.9)] * 150 + [(LEFT, 0.1)]
    result = evaluate([[LEFT]], [found])
    assert "maxDets 151," in result.settings
    assert result.ap[0.5] == pytest.approx(1 / 151)


def test_equal_scores_rank_by_image_id_and_then_by_order() -> None:
    assert evaluate([[LEFT]], [[(LEFT, 0.5), (EMPTY, 0.5)]]).ap[0.5] == 1.0
    assert evaluate([[LEFT]], [[(EMPTY, 0.5), (LEFT, 0.5)]]).ap[0.5] == pytest.approx(0.5)
    assert evaluate([[LEFT], []], [[(LEFT, 0.5)], [(EMPTY, 0.5)]]).ap[0.5] == 1.0
    assert evaluate([[], [LEFT]], [[(EMPTY, 0.5)], [(LEFT, 0.5)]]).ap[0.5] == pytest.approx(0.5)


def test_the_settings_are_one_complete_line() -> None:
    line = evaluate([[LEFT]], [[(LEFT, 0.5)]]).settings
    assert "\n" not in line
    for word in (
        "COCO 101-point AP",
        "segm",
        "class-agnostic",
        "all areas",
        "maxDets 1",
        "objects < 100 px ignored",
        "pycocotools 2.",
    ):
        assert word in line


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate([[LEFT]], [[(LEFT, 0.5)]])
    assert capsys.readouterr().out == ""


def test_a_set_without_an_object_that_counts_is_refused() -> None:
    with pytest.raises(InvalidLabelSet, match="AP is undefined"):
        evaluate([[]], [[(LEFT, 0.5)]])
    with pytest.raises(InvalidLabelSet, match="all are crowd"):
        average_precision(label_set_of([[LEFT]], [[True]]), detections_of([[]]))


def test_detections_must_cover_the_pictures_in_their_size() -> None:
    truth = label_set_of([[LEFT], [RIGHT]])
    with pytest.raises(InvalidDetections, match="1 images lack detections, first \\[2\\]"):
        average_precision(truth, detections_of([[]]))
    with pytest.raises(InvalidDetections, match="1 are unknown, first \\[3\\]"):
        average_precision(truth, detections_of([[], [], []]))
    transposed = Detections((rle_from_mask(box_mask(LEFT).T),), np.ones(1))
    with pytest.raises(InvalidDetections, match="80 x 60"):
        average_precision(truth, {**detections_of([[], []]), 2: transposed})


# Random scenes: boxes of a few sizes that overlap often, scores with ties.

boxes = st.tuples(st.integers(0, 50), st.integers(0, 30), st.sampled_from([8, 15, 20, 30]), st.just(20))
scored = st.tuples(boxes, st.integers(0, 8).map(lambda score: score / 8))
scenes = st.lists(
    st.tuples(st.lists(st.tuples(boxes, st.booleans()), max_size=4), st.lists(scored, max_size=8)),
    min_size=1,
    max_size=4,
).filter(lambda scene: any(not crowd for truth, _ in scene for _, crowd in truth))


def near_copies(scene: Any) -> list[list[Scored]]:
    """Detections of a scene, with shifted copies of its objects so that all IoUs occur."""
    return [
        [*found, *(((x + 2 * i, y, w, h), 0.3 + 0.1 * i) for i, ((x, y, w, h), _) in enumerate(truth))]
        for truth, found in scene
    ]


def reference_precision(label_set: LabelSet, detections: dict[int, Detections]) -> Any:
    """Return eval["precision"] (T, 101) of pycocotools, set up independently."""
    images = [{"id": i.image_id, "height": i.height, "width": i.width} for i in label_set.images]
    truth = [
        {
            "id": found.object_id + 1,
            "image_id": found.image_id,
            "category_id": 1,
            "segmentation": found.rle.to_coco(),
            "area": found.rle.area,
            "iscrowd": int(found.is_crowd),
        }
        for found in label_set.objects
    ]
    results = [
        {"image_id": image_id, "category_id": 1, "segmentation": rle.to_coco(), "score": float(score)}
        for image_id, found in detections.items()
        for rle, score in zip(found.rles, found.scores, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {"images": images, "annotations": truth, "categories": [{"id": 1}], "info": {}}
        coco.createIndex()
        evaluator = COCOeval(coco, coco.loadRes(results), "segm")
        evaluator.params.iouThrs = np.array(IOU_THRESHOLDS)
        evaluator.params.useCats = 0
        evaluator.params.maxDets = [10_000]
        evaluator.params.areaRng, evaluator.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluator.evaluate()
        evaluator.accumulate()
    return evaluator.eval["precision"][:, :, 0, 0, 0]


@given(scenes)
@settings(max_examples=60, deadline=None)
def test_pycocotools_agrees_on_random_scenes_with_crowd_objects(scene: Any) -> None:
    truth = label_set_of(
        [[box for box, _ in objects] for objects, _ in scene],
        [[crowd for _, crowd in objects] for objects, _ in scene],
    )
    found = detections_of(near_copies(scene))
    result = average_precision(truth, found, min_object_area=0)
    np.testing.assert_allclose(
        [result.precision[iou] for iou in IOU_THRESHOLDS], reference_precision(truth, found), atol=1e-9
    )


@given(scenes)
@settings(max_examples=60, deadline=None)
def test_our_accumulation_equals_the_library_to_1e_6(scene: Any) -> None:
    truth = label_set_of(
        [[box for box, _ in objects] for objects, _ in scene],
        [[crowd for _, crowd in objects] for objects, _ in scene],
    )
    result = average_precision(truth, detections_of(near_copies(scene)), min_object_area=0)
    for iou in IOU_THRESHOLDS:
        curve = precision_recall(result.matches, iou)
        assert coco_101_point(*curve) == pytest.approx(result.ap[iou], abs=1e-6)
        # A monotone curve read at 101 points is within a point of its area.
        assert abs(area_under_curve(*curve) - result.ap[iou]) < 0.011
        assert (
            result.matches.iou[IOU_THRESHOLDS.index(iou)][result.matches.hit[IOU_THRESHOLDS.index(iou)]] >= iou
        ).all()


@given(scenes, st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_pictures_does_not_matter_without_ties(scene: Any, random: Any) -> None:
    found = near_copies(scene)
    scores = list(range(sum(map(len, found))))
    random.shuffle(scores)
    untied = [[(box, float(scores.pop())) for box, _ in picture] for picture in found]
    truth = [[box for box, _ in objects] for objects, _ in scene]
    order = list(range(len(scene)))
    random.shuffle(order)
    shuffled = evaluate([truth[i] for i in order], [untied[i] for i in order], min_object_area=0)
    assert shuffled.ap == pytest.approx(evaluate(truth, untied, min_object_area=0).ap, abs=1e-12)


def test_large_image_ids_stay_distinct() -> None:
    # As doubles, 2**53 and 2**53 + 1 are one.
    truth = [[LEFT], [RIGHT]]
    found: list[list[Scored]] = [[(LEFT, 0.9)], [(RIGHT, 0.8)]]
    result = average_precision(label_set_of(truth, first_id=2**53), detections_of(found, first_id=2**53))
    assert result.ap[0.95] == 1.0


def noisy_scenes(pictures: int, seed: int) -> tuple[list[list[Box]], list[list[Scored]]]:
    """Two objects a picture; a third of the detections is right, the surer the likelier."""
    rng = np.random.default_rng(seed)
    truth: list[list[Box]] = []
    found: list[list[Scored]] = []
    for _ in range(pictures):
        truth.append([LEFT, RIGHT])
        hits: list[Scored] = [(box, float(rng.uniform(0.3, 1))) for box in (LEFT, RIGHT) if rng.random() < 0.7]
        found.append([*hits, (EMPTY, float(rng.random())), (EMPTY, float(rng.random()))])
    return truth, found


def test_the_interval_contains_the_figure_and_repeats_by_seed() -> None:
    result = evaluate(*noisy_scenes(30, seed=1))
    intervals = bootstrap_intervals(result.matches, samples=300, seed=5)
    assert intervals == bootstrap_intervals(result.matches, samples=300, seed=5)
    assert intervals.ap != bootstrap_intervals(result.matches, samples=300, seed=6).ap
    for iou, (low, high) in intervals.ap.items():
        assert low < result.ap[iou] < high
    assert intervals.ap_50_95[0] < result.ap_50_95 < intervals.ap_50_95[1]


def test_the_interval_of_one_picture_is_its_figure() -> None:
    # Every draw is the same picture: no rounding may leave the figure outside.
    found: list[Scored] = [(EMPTY, 0.9), (LEFT, 0.8), (EMPTY, 0.7), (EMPTY, 0.6), (RIGHT, 0.5)]
    result = evaluate([[LEFT, RIGHT, (40, 35, 20, 20)]], [found])
    assert bootstrap_intervals(result.matches, samples=9).ap == {iou: (ap, ap) for iou, ap in result.ap.items()}


def test_the_interval_narrows_with_more_pictures() -> None:
    widths = []
    for pictures in (15, 240):
        low, high = bootstrap_intervals(evaluate(*noisy_scenes(pictures, seed=2)).matches, samples=200).ap[0.5]
        widths.append(high - low)
    # Sixteen times the pictures: about a quarter of the width.
    assert 0.1 < widths[1] / widths[0] < 0.5


def test_a_picture_drawn_twice_counts_like_two_copies() -> None:
    truth, found = noisy_scenes(3, seed=3)
    matches = evaluate(truth, found).matches
    weights = np.array([2.0, 0.0, 1.0])
    copies = evaluate([truth[0], truth[0], truth[2]], [found[0], found[0], found[2]])
    for iou in IOU_THRESHOLDS:
        weighted = precision_recall(matches, iou, weights)
        assert coco_101_point(*weighted) == pytest.approx(copies.ap[iou], abs=1e-9)
        assert area_under_curve(*weighted) == pytest.approx(
            area_under_curve(*precision_recall(copies.matches, iou)), abs=1e-9
        )


def test_invalid_bootstrap_options_are_refused() -> None:
    matches = evaluate([[LEFT]], [[(LEFT, 0.5)]]).matches
    for options in ({"samples": 0}, {"level": 1.0}):
        with pytest.raises(ValueError, match="samples >= 1"):
            bootstrap_intervals(matches, **options)


def test_a_test_set_of_the_papers_size_takes_seconds() -> None:
    rng = np.random.default_rng(0)
    truth = [[(*corner, 20, 20) for corner in rng.integers(0, 40, (6, 2)).tolist()] for _ in range(200)]
    found = [
        [((x + int(rng.integers(0, 6)), y, w, h), float(rng.random())) for x, y, w, h in boxes * 7][:40]
        for boxes in truth
    ]
    label_set, detections = label_set_of(truth), detections_of(found)
    start = time.perf_counter()
    bootstrap_intervals(average_precision(label_set, detections).matches, samples=1000)
    assert time.perf_counter() - start < 20
