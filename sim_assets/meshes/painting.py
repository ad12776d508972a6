"""One texture for a whole object: kept if the mesh has exactly one, baked face by face from several or from colours."""

from collections.abc import Sequence

import cv2
import numpy as np

from tabletop_interaction.arrays import Bytes, Floats, Picture
from tabletop_interaction.sim_assets.meshes.reading import Surface

TEXTURE_PX = 512
"""Longest side of a texture: a camera of the table shows a tenth of a megapixel."""


def one_texture(surfaces: Sequence[Surface]) -> tuple[Floats, Picture]:
    """The faces' texture coordinates (F, 3, 2), v = 0 at the last row, and their texture, uint8 (H, W, 3) RGB."""
    if len(surfaces) == 1 and surfaces[0].texture is not None and surfaces[0].uv is not None:
        texture = _shrunk(surfaces[0].texture)
        return _within_texture(surfaces[0].uv, texture.shape[:2]), texture
    return _bake(surfaces)


def _shrunk(texture: Picture) -> Picture:
    factor = TEXTURE_PX / max(texture.shape[:2])
    if factor >= 1:
        return texture
    height, width = (max(1, round(side * factor)) for side in texture.shape[:2])
    return np.asarray(cv2.resize(texture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _within_texture(uv: Floats, shape: tuple[int, int]) -> Floats:
    """Coordinates that the renderer, which drops whole numbers, looks up where they mean to.

    A face beyond the texture's border is moved by whole textures; elsewhere the border itself is not dropped to 0.
    """
    tolerance = 1e-4
    if uv.min() < -tolerance or uv.max() > 1 + tolerance:
        return uv - np.floor(uv.min(axis=1, keepdims=True))
    half_px = 0.5 / np.array([shape[1], shape[0]])
    return np.clip(uv, half_px, 1 - half_px)


def _bake(surfaces: Sequence[Surface]) -> tuple[Floats, Picture]:
    """A square cell of the texture for every face, with the face in its lower left half."""
    count = sum(len(surface.faces) for surface in surfaces)
    uniform = _only_colour(surfaces)
    if uniform is not None:
        return np.full((count, 3, 2), 0.5), np.full((8, 8, 3), uniform, np.uint8)
    across = int(np.ceil(np.sqrt(count)))
    side = TEXTURE_PX // across
    weights = _cell_weights(side)
    cells = np.concatenate([_cell_colours(surface, weights) for surface in surfaces])
    every = np.zeros((across * across, side, side, 3), np.uint8)
    every[:count] = cells
    size = across * side
    texture = every.reshape(across, across, side, side, 3).swapaxes(1, 2).reshape(size, size, 3)
    row, column = np.divmod(np.arange(count), across)
    corners = np.array([[0.0, 0.0], [side - 1, 0.0], [0.0, side - 1]]) + 0.5
    xy = np.column_stack([column, row])[:, None] * side + corners
    return np.stack([xy[..., 0] / size, 1 - xy[..., 1] / size], axis=-1), texture


def _only_colour(surfaces: Sequence[Surface]) -> Bytes | None:
    if any(surface.texture is not None for surface in surfaces):
        return None
    colours = np.concatenate([surface.colours.reshape(-1, 3) for surface in surfaces])
    return colours[0] if (colours == colours[0]).all() else None


def _cell_weights(side: int) -> Floats:
    """(side, side, 3) weights of a face's corners at each pixel of its cell; outside the face those of its edge."""
    along = np.arange(side) / max(side - 1, 1)
    second, third = np.meshgrid(along, along)
    excess = np.maximum(second + third - 1, 0) / 2
    second, third = np.maximum(second - excess, 0), np.maximum(third - excess, 0)
    weights = np.stack([1 - second - third, second, third], axis=-1)
    return weights if side > 1 else np.full((1, 1, 3), 1 / 3)


def _cell_colours(surface: Surface, weights: Floats) -> Bytes:
    """Colours (F, side, side, 3) of all faces' cells."""
    if surface.texture is None or surface.uv is None:
        mixed = np.einsum("ijk,fkc->fijc", weights, surface.colours.astype(np.float32))
        return np.asarray(mixed.round(), np.uint8)
    texture = surface.texture
    height, width = texture.shape[:2]
    uv = np.einsum("ijk,fkc->fijc", weights, surface.uv)
    columns = np.floor(uv[..., 0] % 1 * width).astype(np.int64).clip(0, width - 1)
    rows = np.floor((1 - uv[..., 1] % 1) * height).astype(np.int64).clip(0, height - 1)
    return np.asarray(texture[rows, columns], np.uint8)
