"""What moved between two pictures of the same table: one mask around the clicked pixel, or nothing.

Algorithm 1 of Pathak et al. 2018, "Learning Instance Segmentation by Interaction": the difference of the pictures
inside a 240 x 240 px square around the click, one connected mask, an object when it has more than 1,000 px.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class FrameDifferenceConfig:
    window: int = 240
    min_area: int = 1000
    margin: int = 12
    change_z: float = 4.0
    texture_z: float = 2.2


@dataclass(frozen=True, eq=False)
class FrameDifference:
    mask: NDArray[np.bool_]
    moved: bool


def frame_difference(before, after, click_xy, config=FrameDifferenceConfig()):
    h, w = before.shape[:2]
    cx, cy = int(round(click_xy[0])), int(round(click_xy[1]))
    half = config.window // 2
    m = config.margin
    x0, x1, y0, y1 = cx - half, cx + half, cy - half, cy + half
    X0, X1, Y0, Y1 = max(0, x0 - m), min(w, x1 + m), max(0, y0 - m), min(h, y1 + m)
    full = np.zeros((h, w), bool)
    gain, sigma = exposure(before, after)
    b = before[Y0:Y1, X0:X1].astype(np.float32) * gain
    a = after[Y0:Y1, X0:X1].astype(np.float32)
    d = a - b
    blur = lambda p, s=0.8: cv2.GaussianBlur(p, (0, 0), s)
    # changed at all
    ds = blur(d)
    change = np.sqrt((ds * ds).sum(2)) / (sigma * 0.75)
    # scale
    bl = lambda p: cv2.boxFilter(p, -1, (5, 5))
    s = bl((a * b).sum(2)) / np.maximum(bl((b * b).sum(2)), 1)
    r = a - s[..., None] * b
    var = sigma**2 / 2 * (1 + s * s) + (0.02 * np.minimum(a.mean(2), s*b.mean(2))) ** 2
    chi = cv2.boxFilter((r * r).sum(2) / (3 * var), -1, (3, 3))
    darker = np.where((np.abs(np.log(np.maximum(s, 1e-3))) > 1.1), 1, 0)
    evid = ((chi > config.texture_z**2) | (darker > 0)) & (change > config.change_z)
    k = lambda n: cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (n, n))
    e = cv2.morphologyEx(evid.astype(np.uint8), cv2.MORPH_CLOSE, k(7))
    e = cv2.morphologyEx(e, cv2.MORPH_OPEN, k(5))
    n, lab, st, cen = cv2.connectedComponentsWithStats(e)
    if n < 2: return FrameDifference(full, False)
    best = 1 + np.argmax(st[1:, 4])
    cs, _ = cv2.findContours((lab == best).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    mk = np.zeros(lab.shape, np.uint8); cv2.drawContours(mk, cs, -1, 1, -1)
    full[Y0:Y1, X0:X1] = mk > 0
    keep = np.zeros((h, w), bool); keep[max(0,y0):max(0,y1), max(0,x0):max(0,x1)] = True
    full &= keep
    if full.sum() <= config.min_area: return FrameDifference(np.zeros((h, w), bool), False)
    return FrameDifference(full, True)


def exposure(before, after):
    b = before[::4, ::4].astype(np.float32); a = after[::4, ::4].astype(np.float32)
    ok = ((b > 20) & (b < 235) & (a > 20) & (a < 235)).all(2)
    bb, aa = b[ok].sum(1), a[ok].sum(1)
    g = float(np.median(aa / bb)) if ok.sum() > 50 else 1.0
    r = (a - g * b)[ok]
    sigma = float(np.median(np.abs(r))) * 1.4826 if ok.sum() > 50 else 3.0
    return g, max(sigma, 1.5)
