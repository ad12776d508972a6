"""The exported network finds what the network finds in torch, without torch; files of something else are refused."""

import json
import subprocess
import sys

import cv2
import numpy as np
import onnx
import pytest

from tabletop_interaction.cli.main import main
from tabletop_interaction.errors import CheckpointError, InvalidConfiguration, MissingPackage
from tabletop_interaction.segmentation import FAST, ProposalConfig, Segmenter, proposals
from tabletop_interaction.segmentation.checkpoints import checkpoint_metadata
from tabletop_interaction.segmentation.config import DEFAULT_CHECKPOINT, UNLIMITED
from tabletop_interaction.segmentation.onnx.runtime import open_onnx
from tabletop_interaction.segmentation.opening import open_segmenter


def table_of(height, width, seed):
    """Coloured boxes and discs on a grained table, as the network knows them."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), rng.integers(90, 160, 3), np.uint8)
    for _ in range(4):
        x, y = rng.integers(0, width), rng.integers(0, height)
        colour, side = tuple(rng.integers(0, 256, 3).tolist()), int(rng.integers(15, 30))
        cv2.rectangle(picture, (x - side, y - side // 2), (x + side, y + side // 2), colour, -1)
        cv2.circle(picture, (int(rng.integers(0, width)), int(rng.integers(0, height))), side, colour[::-1], -1)
    return cv2.GaussianBlur(picture, (5, 5), 0) + rng.integers(0, 9, picture.shape, np.uint8)


@pytest.mark.parametrize("shape", [(350, 430), (240, 199), (97, 128), (1, 5)])
def test_the_masks_are_those_of_torch_in_float32(shape, exported, one_thread, monkeypatch):
    monkeypatch.setattr(proposals, "fast_autocast_dtype", lambda device: None)
    picture = table_of(*shape, seed=shape[0])
    config = ProposalConfig(min_score=0.05, min_area=20, max_area_share=0.5)
    wanted = Segmenter.load("default", config).segment(picture)
    found = open_segmenter(str(exported), config).segment(picture)
    assert len(found) == len(wanted)
    assert len(wanted) >= 3 or shape == (1, 5)
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-4)
    for ours, theirs in zip(found.masks, wanted.masks, strict=True):
        assert (ours & theirs).sum() > 0.999 * (ours | theirs).sum()


WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision"):
            raise ImportError(name)

sys.meta_path.insert(0, NoTorch())
from tabletop_interaction.cli.main import main
sys.exit(main(["segment", {picture!r}, "--model", {model!r}, "--out", {out!r}, "--min-score", "0"]))
"""


def test_it_segments_photos_where_torch_cannot_be_imported(exported, tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), table_of(350, 430, seed=350)[..., ::-1])
    out = tmp_path / "out"
    code = WITHOUT_TORCH.format(picture=str(tmp_path / "photo.png"), model=str(exported), out=str(out))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert len(json.loads((out / "segments.json").read_text())) >= 2


def test_the_same_network_is_written_again_to_the_byte_without_places_of_this_machine(exported):
    before = exported.read_bytes()
    assert main(["export", "--out", str(exported)]) == 0
    assert exported.read_bytes() == before
    assert b".py" not in before


def test_the_file_says_what_it_is(exported):
    model = onnx.load(exported)
    onnx.checker.check_model(model)
    (described,) = (json.loads(one.value) for one in model.metadata_props if one.key == "tabletop_interaction")
    assert described["grid"] == {"size": 41, "spacing": 4.0}
    assert described["training"] == checkpoint_metadata(DEFAULT_CHECKPOINT)


def changed(exported, path, change):
    model = onnx.load(exported)
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def set_metadata(text):
    return lambda model: model.metadata_props[-1].CopyFrom(
        onnx.StringStringEntryProto(key="tabletop_interaction", value=text)
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_metadata("{"), "is damaged .*; export it again"),
        (set_metadata("[]"), "has schema version None and this release reads 1; export it again"),
        (set_metadata('{"schema_version": 2}'), "has schema version 2"),
        (set_metadata('{"schema_version": 1, "grid": 3}'), "is damaged .*; export it again"),
        (lambda model: model.graph.output.pop(), "lacks the outputs masks; export it again"),
    ],
)
def test_damaged_files_are_named(change, said, exported, tmp_path):
    with pytest.raises(CheckpointError, match=said):
        open_onnx(changed(exported, tmp_path / "model.onnx", change), FAST, UNLIMITED)


def test_what_is_no_onnx_or_cannot_be_run_is_named(tmp_path, monkeypatch):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(CheckpointError, match=r"model\.onnx cannot be read as ONNX .*; export it again"):
        open_onnx(tmp_path / "model.onnx", FAST, UNLIMITED)
    with pytest.raises(CheckpointError, match="there is no file"):
        open_onnx(tmp_path / "gone.onnx", FAST, UNLIMITED)
    with pytest.raises(InvalidConfiguration, match=r"--device cuda came.*; install onnxruntime-gpu"):
        open_onnx(tmp_path / "model.onnx", FAST, UNLIMITED, "cuda")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPackage, match=r"needs onnxruntime.*pip install .*\[export\]'"):
        open_onnx(tmp_path / "model.onnx", FAST, UNLIMITED)
