"""`tabletop segment`: masks of the objects in one's own photos."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import imageio.v2 as imageio
import tyro
from rich.progress import track

from tabletop_interaction.cli.loading import Device, claim_folder, load_segmenter
from tabletop_interaction.envs.records.folder import write_whole
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.segmentation.config import FAST, ProposalConfig
from tabletop_interaction.segmentation.overlays import overlay
from tabletop_interaction.segmentation.photos import (
    LONGER_SIDE,
    PictureSegmenter,
    check_longer_side,
    check_pictures,
    coco_results,
    detect,
    read_picture,
)


@dataclass(frozen=True)
class Segment:
    """Find the objects in photos of any size: an overlay (PNG) each, and all masks as COCO results (JSON).

    Example: tabletop segment kitchen.jpg desk.jpg --out runs/segments
    """

    pictures: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Picture files."""
    model: str = "default"
    """The network's checkpoint."""
    out: Path = Path("runs/segments")
    """Folder of the overlays and of segments.json."""
    longer_side: int = LONGER_SIDE
    """Pixels to which a photo's longer side is brought first. Objects are found best when they then are 40 to 200 px
    long: a tenth to a half of the photo at 430; take 860 for smaller ones."""
    max_area_share: float = 0.3
    """Leave out masks that cover more of the photo than this. An object of 200 px at 430 covers up to a quarter; the
    benchmark, on its own pictures, leaves out everything above a tenth."""
    min_score: float = 0.5
    """Leave out what the network is less sure of."""
    fast: bool = False
    """Three scales instead of seven: about two thirds of the time."""
    device: Device = "cpu"
    """Where the network runs."""
    seed: int = 0
    """Accepted by every command; nothing here is random."""

    def run(self) -> None:
        """Segment each picture and write what was found."""
        if not 0 <= self.min_score <= 1:
            raise InvalidConfiguration(f"--min-score {self.min_score} came; it is a probability, 0 to 1")
        if not 0 < self.max_area_share <= 1:
            raise InvalidConfiguration(f"--max-area-share {self.max_area_share} came; above 0 and up to 1 is accepted")
        check_longer_side(self.longer_side)
        check_pictures(self.pictures)
        segmenter = load_segmenter(self.model, fast=self.fast, device=self.device, config=self._config())
        for path in track(self.pictures, description="checking"):
            # A header may be whole and its pixels not; better told now than after an hour of photos.
            read_picture(path, upright=True)
        claim_folder(self.out, "segment")
        overlays = overlay_names(self.pictures)
        self._tell(self._segment(segmenter, overlays), overlays)

    def _config(self) -> ProposalConfig:
        scales = FAST if self.fast else ProposalConfig()
        return replace(scales, min_score=self.min_score, max_area_share=self.max_area_share)

    def _segment(self, segmenter: PictureSegmenter, overlays: list[str]) -> list[dict[str, Any]]:
        found = self.out / "segments.json"
        # An earlier run's masks would not fit the overlays that are written from here on.
        found.unlink(missing_ok=True)
        results: list[dict[str, Any]] = []
        try:
            for number, path in enumerate(track(self.pictures, description="pictures"), start=1):
                # Turned upright, so that the masks fit what a viewer shows.
                picture = read_picture(path, upright=True)
                detections = detect(segmenter, picture, self.longer_side)
                imageio.imwrite(self.out / overlays[number - 1], overlay(picture, detections))
                results += coco_results(number, str(path), detections)
        finally:
            # Whatever stops the loop, the photos before it were segmented.
            write_whole(found, json.dumps(results) + "\n")
        return results

    def _tell(self, results: list[dict[str, Any]], overlays: list[str]) -> None:
        counts = Counter(entry["image_id"] for entry in results)
        for number, (path, name) in enumerate(zip(self.pictures, overlays, strict=True), start=1):
            print(f"{path}: {counts[number]} objects, {self.out / name}")
        print(f"masks: {self.out / 'segments.json'}")
        if not results:
            print(
                f"nothing scored {self.min_score} or more and covers at most {self.max_area_share:g} of its photo; "
                "try a lower --min-score, another --longer-side or a larger --max-area-share"
            )


def overlay_names(pictures: tuple[Path, ...]) -> list[str]:
    """A file name a picture: its own with .png, and its number in front where two would be the same."""
    names = [f"{path.stem}.png" for path in pictures]
    shared = {name for name, count in Counter(names).items() if count > 1}
    return [f"{number}-{name}" if name in shared else name for number, name in enumerate(names, start=1)]
