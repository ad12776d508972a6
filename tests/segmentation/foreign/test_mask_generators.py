"""A generator with SAM's interface is a segmenter; checkpoints are told by their names. The packages are stand-ins."""

import sys
from types import ModuleType

import numpy as np
import pytest

from tabletop_interaction.errors import CheckpointError, InvalidDetections, MissingPackage
from tabletop_interaction.segmentation.foreign.mask_generators import GeneratedSegments, load_sam
from tabletop_interaction.segmentation.rle import rle_from_mask

PICTURE = np.zeros((8, 9, 3), np.uint8)
MASK = np.zeros((8, 9), np.bool_)
MASK[2:5, 3:7] = True


class Generator:
    """Finds the given masks in every picture, as SamAutomaticMaskGenerator."""

    def __init__(self, *found):
        self.found = list(found)

    def generate(self, image):
        assert image.dtype == np.uint8
        return self.found


def test_masks_come_with_their_predicted_iou_as_arrays_and_as_rles():
    as_bytes = {"size": [8, 9], "counts": rle_from_mask(MASK).counts.encode()}
    uncompressed = {"size": [8, 9], "counts": [26, 3, 5, 3, 5, 3, 5, 3, 19]}
    masks = ((MASK, 0.5), (as_bytes, 1.02), (uncompressed, 0.7))
    generator = Generator(*({"segmentation": mask, "predicted_iou": iou} for mask, iou in masks))
    found = GeneratedSegments(generator).segment(PICTURE)
    assert (found.masks == MASK).all()
    assert found.scores.tolist() == pytest.approx([1.0, 0.7, 0.5])


def test_an_empty_picture_has_no_segments():
    assert GeneratedSegments(Generator()).segment(PICTURE).masks.shape == (0, 8, 9)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"segmentation": MASK}, "no usable entry 'predicted_iou'"),
        ({"segmentation": {"size": [9, 8], "counts": "?"}, "predicted_iou": 1}, "a mask cannot be read: .*exchanged"),
        ({"segmentation": MASK, "predicted_iou": None}, "no usable entry"),
    ],
)
def test_what_is_no_mask_is_refused(found, said):
    with pytest.raises(InvalidDetections, match=said):
        GeneratedSegments(Generator(found)).segment(PICTURE)


class Model:
    def to(self, device):
        self.device = device
        return self


@pytest.fixture
def packages(monkeypatch):
    """Stand-ins for segment_anything and sam2; what they were asked for."""
    asked = {}

    def made(**kwargs):
        asked.update(kwargs)
        return Model()

    def build_sam2(config, checkpoint, device):
        asked.update(config=config, checkpoint=checkpoint, device=device)
        return Model()

    sam, sam2, build, automatic = (ModuleType(name) for name in ("segment_anything", "sam2", "build", "automatic"))
    sam.sam_model_registry = dict.fromkeys(("vit_b", "vit_l", "vit_h"), made)
    sam.SamAutomaticMaskGenerator = automatic.SAM2AutomaticMaskGenerator = lambda model: Generator(
        {"segmentation": MASK, "predicted_iou": 0.9}
    )
    build.build_sam2 = build_sam2
    modules = {"segment_anything": sam, "sam2": sam2, "sam2.build_sam": build}
    for name, module in {**modules, "sam2.automatic_mask_generator": automatic}.items():
        monkeypatch.setitem(sys.modules, name, module)
    return asked


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("sam_vit_b_01ec64.pth", None),
        ("sam2.1_hiera_base_plus.pt", "configs/sam2.1/sam2.1_hiera_b+.yaml"),
        ("sam2_hiera_tiny.pt", "configs/sam2/sam2_hiera_t.yaml"),
    ],
)
def test_a_checkpoints_name_tells_its_kind(name, config, packages, tmp_path):
    (tmp_path / name).touch()
    assert len(load_sam(tmp_path / name).segment(PICTURE)) == 1
    assert packages["checkpoint"] == str(tmp_path / name)
    assert packages.get("config") == config


def test_other_checkpoints_and_missing_packages_are_refused(tmp_path, monkeypatch):
    for name in ("best.pth", "sam_vit_b.pth"):
        (tmp_path / name).touch()
    monkeypatch.setitem(sys.modules, "segment_anything", None)
    with pytest.raises(CheckpointError, match="there is no file"):
        load_sam(tmp_path / "gone.pth")
    with pytest.raises(CheckpointError, match=r"the name of .*best\.pth does not tell its kind; accepted are"):
        load_sam(tmp_path / "best.pth")
    with pytest.raises(MissingPackage, match=r"needs the package segment_anything.*; pip install git\+https"):
        load_sam(tmp_path / "sam_vit_b.pth")


def test_a_damaged_checkpoint_is_named(packages, tmp_path, monkeypatch):
    def fail(**kwargs):
        raise RuntimeError("unexpected\nkeys")

    monkeypatch.setitem(sys.modules["segment_anything"].sam_model_registry, "vit_b", fail)
    (tmp_path / "sam_vit_b.pth").touch()
    with pytest.raises(CheckpointError, match=r"sam_vit_b\.pth cannot be loaded \(RuntimeError: unexpected keys\)"):
        load_sam(tmp_path / "sam_vit_b.pth")
