"""Label files with every mutation of their values give pycocotools' masks or one clear line."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from tabletop_interaction.segmentation.coco import LabelSet, load_label_set
from tabletop_interaction.segmentation.rle import mask_from_rle
from tests.faults.attack import Attack

HEIGHT, WIDTH = 40, 60
TRIANGLE = (5.5, 5, 50, 8, 20, 33)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 1.0, 1.5, 2**31, 2**63, 10**30, 1e308, float("nan"), float("inf")),
    *("", "1", "1.0", "a", "../a.png", "/etc/passwd", "A.PNG", "b\\a.png", "%61.png", "a\0", "\ud7ff" * 3000, "é"),
    *([], [[]], [None], [1, 2], [[1, 2, 3, 4]], [1, 1, 9, 1, 9, 9], [[1, 1, 9, 1, 9, 9, 5]], [[1, 1], [9, 1], [9, 9]]),
    *(
        {},
        {"size": [HEIGHT, WIDTH]},
        {"size": [HEIGHT, WIDTH], "counts": [2400]},
        {"size": [60, 40], "counts": [9, 2391]},
    ),
    {"size": [HEIGHT, WIDTH], "counts": [0, 5, 0, 5, 2390]},
    {"size": [HEIGHT, WIDTH], "counts": [2**32, 5]},
    {"size": [HEIGHT, WIDTH], "counts": "PPPPPPPPPPPPPPPP"},
)


def document() -> dict[str, Any]:
    return {
        "images": [
            {"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH},
            {"id": 2, "file_name": "b.png", "height": HEIGHT, "width": WIDTH},
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "segmentation": [[*TRIANGLE]],
                "iscrowd": 0,
                "bbox": [1, 2, 3, 4],
            },
            {"id": 2, "image_id": 2, "segmentation": {"size": [HEIGHT, WIDTH], "counts": [100, 300, 2000]}},
        ],
        "categories": [{"id": 1, "name": "object"}],
    }


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """All paths into a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from places(each, (*path, key))


def mutated(place: tuple[Any, ...], change: Callable[[Any, Any], None]) -> dict[str, Any]:
    changed: Any = document()
    owner = changed
    for key in place[:-1]:
        owner = owner[key]
    change(owner, place[-1])
    return dict(changed)


def mutations() -> list[tuple[str, str]]:
    """Every value replaced by every other, removed, and doubled; as texts of JSON."""
    found = []
    for place in places(document()):
        changed = [
            mutated(place, lambda owner, key, value=value: owner.__setitem__(key, copy.deepcopy(value)))
            for value in VALUES
        ]
        changed.append(mutated(place, lambda owner, key: owner.pop(key)))
        if isinstance(place[-1], int):
            changed.append(mutated(place, lambda owner, key: owner.append(owner[key])))
        found += [(f"{place} {number}", json.dumps(each)) for number, each in enumerate(changed)]
    return found


def are_right(read: LabelSet, text: str) -> bool:
    """Whether each mask is that of pycocotools, if this reads it at all."""
    raw = json.loads(text)
    coco = COCO()
    for found in read.objects:
        entry = next((one for one in raw["annotations"] if one.get("id") == found.object_id), None)
        if entry is None:
            continue
        coco.imgs = {entry.get("image_id"): {"height": HEIGHT, "width": WIDTH}}
        try:
            expected = coco_mask.decode(coco.annToRLE(entry))
        except Exception:
            # It does not read this document.
            continue
        if not np.array_equal(mask_from_rle(found.rle), expected):
            return False
    return bool(read.objects)


def write_pictures(folder: Path) -> None:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), np.full((HEIGHT, WIDTH, 3), 90, np.uint8))


def test_mutated_values_give_right_masks_or_one_line(
    attack: Callable[[str], Attack], samples: Callable[..., Any], tmp_path: Path
) -> None:
    write_pictures(tmp_path)
    path = tmp_path / "labels.json"
    with attack("label set: a value changed") as one:
        for what, text in samples(mutations(), short=250):
            path.write_text(text)
            one.call(lambda: load_label_set(path, tmp_path), lambda read, text=text: are_right(read, text), what=what)


def test_damaged_text_gives_a_label_set_or_one_line(
    attack: Callable[[str], Attack], samples: Callable[..., Any], tmp_path: Path
) -> None:
    write_pictures(tmp_path)
    whole = json.dumps(document()).encode()
    path = tmp_path / "labels.json"
    with attack("label set: bytes changed") as one:
        for seed in samples(range(6000), short=150):
            draw = random.Random(seed)
            content = bytearray(whole)
            for _ in range(draw.randint(1, 4)):
                start = draw.randrange(len(content))
                content[start : start + draw.choice((0, 1, 1, 1, 9))] = draw.choice(
                    (
                        b"",
                        b"null",
                        b"[",
                        b"]",
                        b"-",
                        b"9",
                        b"e9",
                        b'"',
                        b"\\",
                        b"\xff",
                        b"NaN",
                        bytes([draw.randrange(256)]),
                    )
                )
            path.write_bytes(content)
            one.call(lambda: load_label_set(path, tmp_path), lambda read: bool(read.objects), what=f"seed {seed}")


def test_commands_end_in_one_line(attack: Callable[[str], Attack], samples: Callable[..., Any], tmp_path: Path) -> None:
    write_pictures(tmp_path)
    path = tmp_path / "labels.json"
    refused = [mutated(("images", 0, "file_name"), lambda owner, key: owner.__setitem__(key, "../c.png"))]
    refused.append(
        mutated(("annotations", 1, "segmentation", "counts", 0), lambda owner, key: owner.__setitem__(key, 1))
    )
    refused.append(mutated(("annotations",), lambda owner, key: owner.__setitem__(key, [{}])))
    with attack("label set: commands") as one:
        for broken in samples(refused, short=1):
            path.write_text(json.dumps(broken))
            common = ("--images", tmp_path, "--out", tmp_path / "out")
            one.command("evaluate", "--data", path, *common, right=lambda _: False)
            one.command("train", "--coco", path, *common, "--steps", "1", right=lambda _: False)
