"""Make interactions.jpg: recorded picks with the best masks, and the one with the worst, compared with the truth."""

from pathlib import Path

import numpy as np
import tyro

from tabletop_interaction.agents.labelling.frame_labels import label_interaction
from tabletop_interaction.envs import Interaction, open_interactions
from tabletop_interaction.reports.sheets import write_interaction_sheets
from tabletop_interaction.segmentation.rle import mask_from_rle

VIEW = "view_0"


def least_iou(row: Interaction) -> float:
    """The smaller IoU of the masks of pick and place with the pixels of the object that was held; 0 without masks."""
    seen = {"before": row.before.instances[VIEW], "after": row.after.instances[VIEW]}
    held = set(np.unique(seen["before"])) - set(np.unique(row.held.instances[VIEW]))
    ious = []
    for label in label_interaction(row):
        if label.view == VIEW and label.mask is not None and held:
            truth, mask = seen[label.moment] == max(held), mask_from_rle(label.mask)
            ious.append((truth & mask).sum() / (truth | mask).sum())
    return float(min(ious)) if len(ious) == 2 else 0.0


def draw(records: Path, out: Path = Path("demo/readme"), good: int = 2) -> None:
    """Draw interactions of `tabletop collect --record instances` in which something was held."""
    table = open_interactions(records)
    scores = {number: least_iou(row) for number, row in enumerate(table) if row.grasped}
    best = sorted(scores, key=scores.__getitem__, reverse=True)
    # One of each scene, so that the tables differ.
    scenes = {table[number].scene: number for number in reversed(best)}
    chosen = [*sorted(scenes.values(), key=best.index)[:good], best[-1]]
    print({number: round(scores[number], 3) for number in chosen})
    out.mkdir(parents=True, exist_ok=True)
    write_interaction_sheets(table, chosen, VIEW, out, rows=len(chosen), sheets=1)


if __name__ == "__main__":
    tyro.cli(draw)
