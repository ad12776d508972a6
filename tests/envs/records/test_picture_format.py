"""Recorded pictures in both formats: exact or within a bound, mixed in a folder, and with their damage found."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import imageio.v3 as iio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from PIL import Image

from tabletop_interaction.envs import RecordInteractions, open_interactions, read_interactions
from tabletop_interaction.envs.records.encoded import EncodedPictures
from tabletop_interaction.envs.records.folder import read_meta, record_run_id
from tabletop_interaction.envs.records.picture_format import (
    LOSSLESS,
    PictureFormat,
    decode_picture,
    encode_jpeg,
    first_format,
)
from tabletop_interaction.envs.records.recompressing import recompress
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration, UnreadableRecords

JPEG = PictureFormat("jpeg")
# Of brightness and the colour difference that weighs most, in blue.
_MOST_CHANNELS = 1 + 1.772

any_picture = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=20).map(lambda shape: (*shape, 3)))
whole_blocks = arrays(np.uint8, st.sampled_from([(8, 8, 3), (16, 8, 3), (24, 16, 3)]))


def in_jpeg(pictures: EncodedPictures) -> EncodedPictures:
    return pictures.recompressed(JPEG)


@pytest.fixture
def jpeg_row(sample: Any) -> Any:
    """Makes rows with the pictures of the sample as JPEG."""

    def row(number: int) -> Any:
        moments = {name: in_jpeg(sample.pictures(number + i)) for i, name in enumerate(("before", "held", "after"))}
        return sample.interaction(number, **moments)

    return row


@given(any_picture)
def test_png_is_lossless(picture: NDArray[np.uint8]) -> None:
    assert np.array_equal(decode_picture(LOSSLESS.encode(picture)), picture)


@given(whole_blocks, st.integers(1, 64))
def test_jpeg_is_within_half_a_step(picture: NDArray[np.uint8], step: int) -> None:
    """Frequencies are off by up to half a step, and so are pixels (RMS), because the transform is orthonormal."""
    read = decode_picture(encode_jpeg(picture, step))
    assert read.shape == picture.shape
    error = np.sqrt(np.mean((read.astype(float) - picture) ** 2, axis=(0, 1)))
    assert error.max() <= _MOST_CHANNELS * (step / 2 + 1)


@given(any_picture)
def test_jpeg_keeps_the_size_of_any_picture(picture: NDArray[np.uint8]) -> None:
    read = decode_picture(JPEG.encode(picture))
    assert read.dtype == np.uint8
    assert read.shape == picture.shape


def test_other_libraries_decode_our_jpeg() -> None:
    picture = np.zeros((40, 48, 3), np.uint8)
    picture[:, 24:] = 200, 100, 30
    by_pillow = iio.imread(JPEG.encode(picture), extension=".jpg").astype(int)
    assert np.abs(by_pillow - picture).max() <= 8
    assert np.abs(by_pillow - decode_picture(JPEG.encode(picture))).max() <= 2


def test_a_smaller_step_is_more_exact_and_takes_more() -> None:
    picture = np.random.default_rng(0).integers(80, 170, (64, 64, 3), dtype=np.uint8)
    found = [PictureFormat("jpeg", step) for step in (2, 8, 32)]
    files = [each.encode(picture) for each in found]
    errors = [np.abs(decode_picture(file).astype(int) - picture).mean() for file in files]
    assert errors == sorted(errors)
    assert [len(file) for file in files] == sorted((len(file) for file in files), reverse=True)
    assert [each.bytes_per_pixel for each in found] == sorted((e.bytes_per_pixel for e in found), reverse=True)
    assert LOSSLESS.bytes_per_pixel > found[1].bytes_per_pixel


@pytest.mark.parametrize("picture", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_what_is_no_picture_is_not_encoded(picture: Any) -> None:
    with pytest.raises(ValueError, match="uint8 array"):
        JPEG.encode(picture)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8\xff", b"no picture", encode_jpeg(np.zeros((9, 9, 3), np.uint8))[:-9]]
)
def test_a_torn_picture_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableRecords, match="damaged"):
        decode_picture(content)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"picture_format": "webp"}, "picture_format is 'webp'"),
        ({"jpeg_step": 0}, "jpeg_step is 0; accepted is 1 to 255"),
        ({"picture_format": "jpeg", "jpeg_step": 2.5}, "jpeg_step is 2.5"),
    ],
)
def test_unknown_formats_are_refused_before_anything_is_written(tmp_path: Path, wrong: Any, message: str) -> None:
    env = gym.make("tabletop_interaction:TabletopInteraction-v0")
    with pytest.raises(InvalidConfiguration, match=message):
        RecordInteractions(env, tmp_path / "records", **wrong)
    env.close()
    assert not (tmp_path / "records").exists()


def recorded(folder: Path, **options: Any) -> dict[str, Any]:
    """Record one interaction; returns the pictures before it."""
    plain = gym.make("tabletop_interaction:TabletopInteraction-v0", extras=("depth", "instances"))
    env = RecordInteractions(plain, folder, extras=("depth", "instances"), **options)
    observation, _ = env.reset(seed=0)
    env.step(np.zeros(5, np.float32))
    last = env.last_interaction
    env.close()
    assert last is not None
    assert last.after == list(read_interactions(folder))[-1].after
    return dict(observation)


def test_one_folder_holds_both_formats_and_maps_stay_lossless(tmp_path: Path) -> None:
    """The same seed gives the same pictures; the first writer's format stands in meta.json."""
    seen = recorded(tmp_path, picture_format="jpeg")
    recorded(tmp_path)
    lossy, exact = read_interactions(tmp_path)
    assert Image.open(io.BytesIO(lossy.before.encoded["view_0"])).format == "JPEG"
    assert Image.open(io.BytesIO(exact.before.encoded["view_0"])).format == "PNG"
    assert np.array_equal(exact.before["view_0"], seen["view_0"])
    error = lossy.before["view_0"].astype(float) - seen["view_0"]
    assert 0 < np.sqrt((error**2).mean()) < 4
    for row in (lossy, exact):
        assert np.array_equal(row.before.instances["view_0"], seen["view_0_instances"])
        assert np.abs(row.before.depth["view_0"] - seen["view_0_depth"]).max() < 1e-3
    assert read_meta(tmp_path).metadata["pictures"] == {"picture_format": "jpeg", "jpeg_step": 8}
    assert len(exact.before.encoded["view_0"]) > 4 * len(lossy.before.encoded["view_0"])


def test_a_wrapper_with_a_format_survives_a_copy_of_its_spec(tmp_path: Path) -> None:
    env = RecordInteractions(
        gym.make("tabletop_interaction:TabletopInteraction-v0"),
        tmp_path / "records",
        picture_format="jpeg",
        jpeg_step=4,
    )
    spec = env.spec
    env.close()
    assert spec is not None
    kwargs = json.loads(spec.to_json())["additional_wrappers"][-1]["kwargs"]
    assert (kwargs["picture_format"], kwargs["jpeg_step"]) == ("jpeg", 4)


def test_datasets_decodes_a_folder_with_both_formats(sample: Any, jpeg_row: Any, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    with sample.writer(tmp_path / "rows") as out:
        out.append(jpeg_row(0))
        out.append(sample.interaction(0))
    loaded = datasets.load_dataset(str(tmp_path / "rows"), split="train", cache_dir=str(tmp_path / "cache"))
    lossy, exact = (np.asarray(row["view_1_after"]) for row in loaded)
    assert np.array_equal(exact, sample.picture(21))
    assert np.abs(lossy.astype(int) - decode_picture(jpeg_row(0).after.encoded["view_1"])).max() <= 2


def test_every_flipped_byte_of_a_jpeg_in_a_shard_is_found(sample: Any, jpeg_row: Any, tmp_path: Path) -> None:
    with sample.writer(tmp_path) as out:
        out.append(jpeg_row(0))
    (shard,) = (tmp_path / "data").glob("*.parquet")
    whole, jpeg = shard.read_bytes(), jpeg_row(0).held.encoded["view_1"]
    start = whole.index(jpeg)
    for place in range(start, start + len(jpeg)):
        shard.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        with pytest.raises(UnreadableRecords, match="damaged"):
            list(open_interactions(tmp_path))


def test_every_flipped_byte_of_a_jpeg_in_a_journal_costs_its_row_with_a_warning(
    sample: Any, jpeg_row: Any, tmp_path: Path
) -> None:
    out = sample.writer(tmp_path)
    for number in range(2):
        out.append(jpeg_row(number))
    (journal,) = tmp_path.glob(".journal-*")
    whole, jpeg = journal.read_bytes(), jpeg_row(0).before.encoded["view_0"]
    start = whole.index(jpeg)
    for place in range(start, start + len(jpeg)):
        journal.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        with pytest.warns(UserWarning, match="rows read: 1, rows lost: 1"):
            (row,) = open_interactions(tmp_path)
        assert row.step == 1


def test_recompressed_records_are_the_same_but_for_their_pictures(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path / "rows", 3, extras=("depth", "instances"))
    recompress(tmp_path / "rows", tmp_path / "smaller", JPEG)
    for old, new in zip(read_interactions(tmp_path / "rows"), read_interactions(tmp_path / "smaller"), strict=True):
        assert (new.time, new.step, new.pick_place, new.grasped) == (old.time, old.step, old.pick_place, old.grasped)
        assert new.held == in_jpeg(old.held)
        assert new.before.depth == old.before.depth
    assert read_meta(tmp_path / "smaller").metadata["pictures"]["picture_format"] == "jpeg"


def test_recompressing_resumes(sample: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample.record(tmp_path / "rows", 3)
    real, done = EncodedPictures.recompressed, []

    def killed(self: EncodedPictures, picture_format: PictureFormat) -> EncodedPictures:
        done.append(1)
        if len(done) == 5:
            raise KeyboardInterrupt
        return real(self, picture_format)

    monkeypatch.setattr(EncodedPictures, "recompressed", killed)
    with pytest.raises(KeyboardInterrupt):
        recompress(tmp_path / "rows", tmp_path / "smaller", JPEG)
    assert len(open_interactions(tmp_path / "smaller")) == 1
    recompress(tmp_path / "rows", tmp_path / "smaller", JPEG)
    assert [row.step for row in read_interactions(tmp_path / "smaller")] == [0, 1, 2]


def test_a_copy_has_a_run_id_of_its_own(sample: Any, tmp_path: Path) -> None:
    """Labels of the original would otherwise be taken for those of the copy."""
    sample.record(tmp_path / "rows", 1, metadata={"run": "0" * 32})
    recompress(tmp_path / "rows", tmp_path / "smaller", JPEG)
    assert record_run_id(tmp_path / "smaller") not in (None, record_run_id(tmp_path / "rows"))


@pytest.mark.parametrize(
    ("source", "picture_format", "message"),
    [
        ("rows", LOSSLESS, "holds pictures with .*jpeg.*, not .*png"),
        ("others", JPEG, "holds other interactions"),
        ("fewer", JPEG, "holds other interactions"),
    ],
)
def test_copies_are_not_mixed(
    sample: Any, tmp_path: Path, source: str, picture_format: PictureFormat, message: str
) -> None:
    sample.record(tmp_path / "rows", 2)
    sample.record(tmp_path / "fewer", 1)
    with sample.writer(tmp_path / "others") as out:
        for number in (5, 6):
            out.append(sample.interaction(number, time=f"2026-01-0{number}T00:00:00+00:00"))
    recompress(tmp_path / "rows", tmp_path / "smaller", JPEG)
    before = sorted(path.name for path in (tmp_path / "smaller").iterdir())
    with pytest.raises(ForeignFolder, match=message):
        recompress(tmp_path / source, tmp_path / "smaller", picture_format)
    assert len(open_interactions(tmp_path / "smaller")) == 2
    assert sorted(path.name for path in (tmp_path / "smaller").iterdir()) == before


def test_metadata_has_no_key_of_the_format(tmp_path: Path) -> None:
    env = gym.make("tabletop_interaction:TabletopInteraction-v0")
    with pytest.raises(InvalidConfiguration, match="metadata has the key 'pictures'"):
        RecordInteractions(env, tmp_path / "records", metadata={"pictures": "of a lab"})
    env.close()
    assert not (tmp_path / "records").exists()


def test_own_metadata_of_earlier_versions_is_no_format() -> None:
    assert first_format({"pictures": {"lens": "wide"}}) == first_format({}) == LOSSLESS.plain()


def test_a_folder_is_not_recompressed_into_itself(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 1)
    with pytest.raises(InvalidConfiguration, match="name a new folder"):
        recompress(tmp_path, tmp_path / ".", JPEG)
