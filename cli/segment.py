"""`tabletop segment`: find the objects in photos."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from tabletop_interaction.cli.arguments import UNSET, NewFolder
from tabletop_interaction.cli.options import NetworkOptions, options
from tabletop_interaction.envs.records.png import encode_picture
from tabletop_interaction.files import claimed_folder, write_file
from tabletop_interaction.picture_files import check_decodable, check_pictures, read_picture
from tabletop_interaction.progress import track
from tabletop_interaction.ranges import Range
from tabletop_interaction.segmentation.config import ProposalConfig
from tabletop_interaction.segmentation.foreign.detections_file import DetectionsFile
from tabletop_interaction.segmentation.overlays import overlay, overlay_names
from tabletop_interaction.segmentation.photos import (
    LONGER_SIDE,
    coco_results,
    detect,
)
from tabletop_interaction.segmentation.segments import PictureSegmenter


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Find the objects in photos of any size: an overlay (PNG) for each, and all masks as COCO results (JSON).

    Example: tabletop segment kitchen.jpg desk.jpg --out runs/segments

    Example: tabletop segment kitchen.jpg --model mine:Segmenter --out runs/segments

    --model may also be COCO results (.json), whose masks of these photos are drawn.

    Photos are turned upright by their EXIF orientation; overlays and masks are those of the upright photo.

    Objects of 40 to 200 px after rescaling are found best: a tenth to a half of the photo's longer side at
    --longer-side 430; choose 860 for smaller ones. An object of 200 px at 430 covers up to a quarter of the photo; the
    benchmark drops masks above a tenth.
    """

    pictures: Annotated[tuple[Path, ...], tyro.conf.Positional, UNSET]
    """Photos: JPEG, PNG, TIFF, BMP, GIF, WebP or PNM files."""
    network: NetworkOptions = field(default_factory=NetworkOptions)
    out: NewFolder = Path("runs/segments")
    """Folder of the overlays and of segments.json."""
    longer_side: Annotated[int, Range(64, 4096, unit="px")] = LONGER_SIDE
    """Longer side of a photo after rescaling, pixels."""
    proposals: Annotated[
        ProposalConfig, options(ProposalConfig, "max_area_share", "min_score", max_area_share=0.3, min_score=0.5)
    ]

    def run(self) -> None:
        """Segment each picture and write the masks."""
        check_pictures(self.pictures)
        segmenter = self.network.load_for_files(self.proposals)
        for path in track(self.pictures, "checking"):
            # A damaged picture is reported now and not after an hour of others.
            check_decodable(path)
        overlays = overlay_names(self.pictures)
        with claimed_folder(self.out, "segment"):
            results = self._segment(segmenter, overlays)
        counts = Counter(entry["image_id"] for entry in results)
        for number, (path, name) in enumerate(zip(self.pictures, overlays, strict=True), start=1):
            print(f"{path}: {counts[number]} objects, {self.out / name}")
        print(f"masks: {self.out / 'segments.json'}")
        if not results:
            print(
                f"nothing scored {self.proposals.min_score} or more and covers at most "
                f"{self.proposals.max_area_share:g} of its photo; try a lower --min-score, another --longer-side or a "
                "larger --max-area-share"
            )

    def _segment(self, segmenter: PictureSegmenter | DetectionsFile, overlays: list[str]) -> list[dict[str, Any]]:
        found = self.out / "segments.json"
        # Masks of an earlier run do not fit the new overlays.
        found.unlink(missing_ok=True)
        results: list[dict[str, Any]] = []
        try:
            for number, path in enumerate(track(self.pictures, "pictures"), start=1):
                # Turned upright, so that the masks fit what a viewer shows.
                picture = read_picture(path, upright=True)
                if isinstance(segmenter, DetectionsFile):
                    detections = segmenter.in_photo(path, picture.shape[:2])
                else:
                    detections = detect(segmenter, picture, self.longer_side)
                write_file(self.out / overlays[number - 1], encode_picture(overlay(picture, detections)))
                results += coco_results(number, str(path), detections)
        finally:
            # When something stops the loop, the masks of the photos before it are kept.
            write_file(found, json.dumps(results) + "\n")
        return results
