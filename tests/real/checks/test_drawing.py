"""The drawing of a laboratory shows every box of its lab file, whatever its name."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tabletop_interaction.real.arm.obstacles import BoxInArena
from tabletop_interaction.real.checks.drawing import draw_surroundings

POST = BoxInArena(centre=(-0.6, 0.4, 0.4), size=(0.05, 0.05, 0.8))


def _drawn(lab):
    return np.asarray(Image.open(io.BytesIO(draw_surroundings(lab.moves, lab.arena))).convert("RGB"))


@pytest.mark.parametrize("name", ["left post", r"$\left_post", "Säule [2]"])
def test_a_box_is_drawn_under_any_name(quick_lab, name):
    without, drawn = _drawn(quick_lab), _drawn(replace(quick_lab, obstacles={name: POST}))
    assert without.shape == drawn.shape
    assert (without != drawn).any()
