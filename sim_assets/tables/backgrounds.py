"""The table tops: 24 to train on, 6 for validation, 10 to test on, 10 for development.

The counts are those of Pathak et al. 2018; the designs are our choice. Each table top is generated from its own seed,
so the package contains no pictures. The test split has families that occur in no other split (herringbone, terrazzo,
map, plaid, flowers, slate, camouflage, comics), and two of the training families in other colours. The development
split is composed in the same way from eight other families (basket parquet, pebbles, ornaments, houndstooth, leaves,
photographs, patchwork, playing cards).
"""

import zlib
from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

from tabletop_interaction.arrays import FloatPicture, Picture
from tabletop_interaction.ranges import check_choice
from tabletop_interaction.sim_assets.noise import Rng
from tabletop_interaction.sim_assets.splits import CATALOGUE
from tabletop_interaction.sim_assets.tables import cloths, materials, prints, woods
from tabletop_interaction.sim_assets.tables.surfaces import PX_PER_MM, SHAPE, plain, worn

BACKGROUND_PX_PER_M = round(PX_PER_MM * 1000)

Painter = Callable[[Rng], FloatPicture]

# Bounds the memory of long runs; the training split has 24.
_KEPT_TOPS = 16

_OAK = ("#7d5730", "#b98d58", "#d3ad78", "#e3c596")
_WALNUT = ("#2b1a10", "#4a2f1d", "#6b4729", "#87603a")
_PINE = ("#a97638", "#cfa461", "#dcbb80", "#e6ca9b")
_MAPLE = ("#a87c4a", "#d2ab76", "#e6c898", "#f0dab4")
_CHERRY = ("#6b2f17", "#9a4e2a", "#b86c40", "#cf8b5b")
_ASH = ("#8f8474", "#b9ad99", "#d2c8b6", "#e4dccd")
_BRIGHT = ("#d9352c", "#f2b632", "#2e7fd0", "#3aa655", "#f4f0e6", "#7a3fa0", "#ef7f2e", "#1f2a36", "#e88fb0")
_MUTED = ("#8c6f5a", "#5f7a80", "#a89b7c", "#6f5566", "#4e5d4a", "#b7a9a0", "#3f4450")
_PASTEL = ("#e9b7b0", "#b8d3e6", "#cfe3bf", "#f2e2ad", "#d6c4e4", "#f7f2ea", "#e8c9a0")
_TARTAN = ("#1f4d3a", "#16243f", "#1f4d3a", "#d8b23f", "#1f4d3a", "#16243f", "#a3262c", "#efe8da")


def _planks(rng: Rng, palette: tuple[str, ...], width_mm: tuple[float, float], upright: bool = False) -> FloatPicture:
    layout = woods.strips(rng, width_mm, (380, 950), upright)
    return woods.laid(rng, layout, woods.board(rng, palette, 9, knots=7))


def _staves(rng: Rng, palette: tuple[str, ...]) -> FloatPicture:
    layout = woods.strips(rng, (36, 44), (160, 420))
    return woods.laid(rng, layout, woods.board(rng, palette, 7), spread=0.13, gap=0.3, gap_mm=0.8)


def _veneer(rng: Rng, palette: tuple[str, ...]) -> FloatPicture:
    return woods.book_matched(woods.board(rng, palette, 16, knots=1))


def _painted_planks(rng: Rng, paint: str, wear: float, upright: bool = False) -> FloatPicture:
    layout = woods.strips(rng, (75, 115), (500, 950), upright)
    bare = woods.laid(rng, layout, woods.board(rng, _ASH, 9, knots=4))
    return woods.painted(rng, bare, layout, paint, wear, upright)


def _herringbone(rng: Rng, palette: tuple[str, ...]) -> FloatPicture:
    layout = woods.herringbone(210, 42, np.pi / 4)
    return woods.laid(rng, layout, woods.board(rng, palette, 9), spread=0.09, gap=0.45, gap_mm=0.9)


def _basket_parquet(rng: Rng, palette: tuple[str, ...]) -> FloatPicture:
    layout = woods.basket(150, 5, np.pi / 4)
    return woods.laid(rng, layout, woods.board(rng, palette, 9), spread=0.08, gap=0.4, gap_mm=0.9)


def _strand_board(rng: Rng) -> FloatPicture:
    layout = woods.strands(rng, 1100, (60, 130), (14, 36))
    return woods.laid(rng, layout, woods.board(rng, _PINE, 14), spread=0.08, gap=0.28, gap_mm=0.7)


# The seed is the name, so that a new table top changes no other.
_PAINTERS: dict[str, Painter] = {
    "train_01_oak_planks": lambda rng: _planks(rng, _OAK, (70, 110)),
    "train_02_walnut_planks": lambda rng: _planks(rng, _WALNUT, (85, 120), upright=True),
    "train_03_cherry_veneer": lambda rng: _veneer(rng, _CHERRY),
    "train_04_maple_staves": lambda rng: _staves(rng, _MAPLE),
    "train_05_teal_painted_planks": lambda rng: _painted_planks(rng, "#3f8f8b", 0.14),
    "train_06_cream_lacquer": lambda rng: materials.lacquer(rng, ("#e2d9c3", "#ece5d3"), rings=3),
    "train_07_natural_linen": lambda rng: cloths.linen(rng, "#bfae91"),
    "train_08_red_gingham": lambda rng: cloths.bands(rng, (18, 18), ("#c22f33", "#f3eee6"), crossed=True),
    "train_09_navy_stripes": lambda rng: cloths.bands(
        rng, (22, 6, 3, 6), ("#ece6d8", "#26365e", "#ece6d8", "#26365e"), crossed=False, angle=np.pi / 2
    ),
    "train_10_mint_dots": lambda rng: cloths.dots(rng, "#8fc9b2", "#f6f3ea", 42, 11),
    "train_11_blue_denim": lambda rng: cloths.denim(rng, ("#1d2c4c", "#37507e", "#6582ab", "#9db3cd"), "#d08a3c"),
    "train_12_white_marble": lambda rng: materials.marble(rng, ("#d3d3d2", "#e9e8e5", "#f2f1ee"), "#73777c", 0.75),
    "train_13_grey_granite": lambda rng: materials.granite(rng, ("#2c2c30", "#77777a", "#a7a5a3", "#d5d1cb")),
    "train_14_concrete": lambda rng: materials.concrete(rng, ("#6d6d6b", "#918f8b", "#b5b2ac")),
    "train_15_newspaper": lambda rng: prints.newspaper(rng, "#ddd6c6", "#2a2929"),
    "train_16_blue_mosaic": lambda rng: prints.mosaic(
        rng, ("#123a63", "#1f6f9f", "#4fb0c6", "#a9dcd9", "#e8efe6"), 21, "#cfd0c9"
    ),
    "train_17_clay_hexagons": lambda rng: prints.hexagons(
        rng, ("#b0603f", "#c8815a", "#8f4a36", "#d9a987"), 62, "#8b8378"
    ),
    "train_18_wrapping_paper": lambda rng: prints.motifs(rng, "#7d2340", ("#e8c15a", "#f0e7da", "#c94f6d"), 64, 21),
    "train_19_cork": lambda rng: materials.cork(rng, ("#5b3a20", "#a87544", "#c99a63", "#dfb986")),
    "train_20_brushed_steel": lambda rng: materials.brushed_metal(rng, ("#6e7276", "#9a9ea2", "#c6c9cb", "#e4e5e6")),
    "train_21_brown_leather": lambda rng: materials.leather(rng, ("#2f1a10", "#55301c", "#7d4a2b", "#a06b42")),
    "train_22_persian_rug": lambda rng: cloths.carpet(rng, ("#e0cfa8", "#7b1f25", "#23324f", "#a6432f", "#3f5a4a")),
    "train_23_bright_shapes": lambda rng: prints.scattered_shapes(rng, plain("#d8d4c8"), _BRIGHT, 90, 0.0),
    "train_24_green_lacquer": lambda rng: materials.lacquer(rng, ("#173d2c", "#2a6145"), 1.2, rings=1),
    "val_01_end_grain": lambda rng: woods.end_grain(rng, _OAK, 52),
    "val_02_strand_board": _strand_board,
    "val_03_blue_gingham": lambda rng: cloths.bands(rng, (9, 9), ("#3b6fb0", "#f1efe9"), crossed=True, angle=np.pi / 4),
    "val_04_green_marble": lambda rng: materials.marble(rng, ("#12291f", "#1f4736", "#37664e"), "#c4d8c6", 0.6),
    "val_05_sunset_gradient": lambda rng: materials.lacquer(
        rng, ("#3c2c63", "#a23e6a", "#ee7d57", "#f7c66b"), 0.9, rings=0
    ),
    "val_06_muted_shapes": lambda rng: prints.scattered_shapes(rng, cloths.linen(rng, "#94897a"), _MUTED, 70, 0.4),
    "test_01_herringbone": lambda rng: _herringbone(rng, _ASH),
    "test_02_terrazzo": lambda rng: materials.terrazzo(
        rng, "#dcd7cd", ("#b7674a", "#54606b", "#d9b36c", "#8f9f8b", "#f3f0ea", "#2e3033")
    ),
    "test_03_city_map": lambda rng: prints.city_map(rng, "#ece6d6", "#ffffff", "#b9d6a0", "#9cc7e4"),
    "test_04_tartan": lambda rng: cloths.bands(rng, (34, 6, 10, 3, 10, 6, 34, 3), _TARTAN, crossed=True),
    "test_05_floral_print": lambda rng: cloths.floral(
        rng, "#26384d", ("#e7a0a8", "#f2ddc4", "#d4555f", "#b9a5d6"), "#5f8a6b"
    ),
    "test_06_slate_tiles": lambda rng: materials.slate(rng, ("#2b3036", "#454d55", "#66707a"), "#8a5f3c", 205),
    "test_07_camouflage": lambda rng: materials.camouflage(rng, ("#8a8a5c", "#4d5a36", "#6a5138", "#23261f")),
    "test_08_comics": lambda rng: prints.comics(rng, _BRIGHT),
    "test_09_red_painted_planks": lambda rng: _painted_planks(rng, "#a33a2f", 0.3, upright=True),
    "test_10_solid_looking_shapes": lambda rng: prints.scattered_shapes(
        rng, _planks(rng, _PINE, (80, 110)), _PASTEL, 55, 1.0
    ),
    "dev_01_basket_parquet": lambda rng: _basket_parquet(rng, _MAPLE),
    "dev_02_pebbles": lambda rng: materials.pebbles(
        rng, ("#8d8a82", "#9a958b", "#7f807d", "#958878", "#a29d93"), "#75706a", 46
    ),
    "dev_03_ornament_tiles": lambda rng: prints.ornament_tiles(
        rng, ("#f0ece0", "#24508c", "#f0ece0", "#d8a33a", "#24508c"), 130, "#b9b4a6"
    ),
    "dev_04_houndstooth": lambda rng: cloths.houndstooth(rng, ("#b3a28c", "#8f7f6c"), 5.5),
    "dev_05_leaf_print": lambda rng: cloths.foliage(rng, "#e9e4d2", ("#2f6b4a", "#5d8f4e", "#1f4a45", "#b7a24a")),
    "dev_06_photographs": lambda rng: prints.photographs(
        rng,
        _staves(rng, _CHERRY),
        (
            ("#7fb2dd", "#cfe3ee", "#5c7f4c", "#38512f"),
            ("#3a2f5e", "#d9764f", "#f3c877", "#2d3b4c"),
            ("#dfe7ea", "#9fb3b8", "#e7d7b1", "#bf9a63"),
        ),
        70,
    ),
    "dev_07_patchwork": lambda rng: cloths.patchwork(rng, _MUTED + _PASTEL, 88),
    "dev_08_playing_cards": lambda rng: prints.playing_cards(rng, "#cbc4b2", 75),
    "dev_09_blue_painted_planks": lambda rng: _painted_planks(rng, "#4d6f94", 0.35),
    "dev_10_faded_rug": lambda rng: cloths.carpet(rng, ("#a89a80", "#6f6a5c", "#8a6f5a", "#57665f", "#b9b09a")),
}


def background_names(split: str) -> tuple[str, ...]:
    """Names of a split's table tops, in a fixed order.

    Raises:
        InvalidConfiguration: there is no such split.
    """
    check_choice("split", split, CATALOGUE)
    return tuple(name for name in _PAINTERS if name.startswith(f"{split}_"))


def load_background(name: str) -> Picture:
    """The table top `name`, seen from above.

    The last ones are kept compressed: unpacking takes a tenth of the time of painting, and one takes 1.4 MB, not 2.4.

    Returns:
        uint8 (840, 960, 3) RGB, read-only: 0.8 x 0.7 m of the table at `BACKGROUND_PX_PER_M`. This is more than the
        arena, since oblique cameras see beyond its borders.

    Raises:
        ValueError: no table top has this name.
    """
    if name not in _PAINTERS:
        raise ValueError(f"unknown background {name!r}; accepted are the names of background_names(split)")
    return np.frombuffer(zlib.decompress(_compressed(name)), np.uint8).reshape(*SHAPE, 3)


@lru_cache(maxsize=_KEPT_TOPS)
def _compressed(name: str) -> bytes:
    rng = np.random.default_rng(list(name.encode()))
    picture = worn(rng, _PAINTERS[name](rng))
    # Blurred slightly, so that no edge is sharper than in a camera's picture.
    finished = np.rint(cv2.GaussianBlur(picture, (0, 0), 0.6)).clip(0, 255).astype(np.uint8)
    return zlib.compress(finished.tobytes(), level=1)
