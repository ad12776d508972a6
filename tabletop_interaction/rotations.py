"""Rotations as quaternions x, y, z, w: the few functions that the simulation needs, without SciPy.

SciPy would be 140 MB of the core's installation and more than a quarter of the time in which a first environment opens.
The results agree with those of `scipy.spatial.transform.Rotation` to rounding: a quaternion is normalised at each call,
which SciPy does once, so that products of several may differ in the last bit.
"""

import math

import numpy as np

from tabletop_interaction.arrays import Floats, Floats32


def matrix_from_quaternion(quaternion: Floats) -> Floats:
    """(3, 3) rotation matrix of a quaternion (4,), xyzw, which need not have length 1.

    Raises:
        ValueError: the quaternion has length 0.
    """
    x, y, z, w = _normalised(quaternion)
    x2, y2, z2, w2 = x * x, y * y, z * z, w * w
    xy, xz, xw, yz, yw, zw = x * y, x * z, x * w, y * z, y * w, z * w
    return np.array(
        [
            [x2 - y2 - z2 + w2, 2 * (xy - zw), 2 * (xz + yw)],
            [2 * (xy + zw), -x2 + y2 - z2 + w2, 2 * (yz - xw)],
            [2 * (xz - yw), 2 * (yz + xw), -x2 - y2 + z2 + w2],
        ]
    )


def quaternion_from_matrix(matrix: Floats) -> Floats:
    """Unit quaternion (4,), xyzw, of a rotation matrix (3, 3), from its largest component (Shepperd 1978)."""
    trace = float(np.trace(matrix))
    largest = int(np.argmax([*np.diag(matrix), trace]))
    if largest == 3:
        skew = [matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]]
        return _normalised(np.array([*skew, 1 + trace]))
    i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
    quaternion = np.empty(4)
    quaternion[i] = 1 - trace + 2 * matrix[i, i]
    quaternion[j] = matrix[j, i] + matrix[i, j]
    quaternion[k] = matrix[k, i] + matrix[i, k]
    quaternion[3] = matrix[k, j] - matrix[j, k]
    return _normalised(quaternion)


def rotated(points: Floats | Floats32, quaternion: Floats) -> Floats:
    """Points (N, 3) turned by a quaternion (4,), xyzw, about the origin; errors as `matrix_from_quaternion`."""
    return points @ matrix_from_quaternion(quaternion).T


def product(first: Floats, second: Floats) -> Floats:
    """The unit quaternion (4,), xyzw, of the rotation by `second` and then by `first`.

    Raises:
        ValueError: one of them has length 0.
    """
    ax, ay, az, aw = _normalised(first)
    bx, by, bz, bw = _normalised(second)
    vector = (
        aw * bx + bw * ax + (ay * bz - az * by),
        aw * by + bw * ay + (az * bx - ax * bz),
        aw * bz + bw * az + (ax * by - ay * bx),
    )
    return _normalised(np.array([*vector, aw * bw - ax * bx - ay * by - az * bz]))


def inverse(quaternion: Floats) -> Floats:
    """The quaternion (4,), xyzw, of the opposite rotation; its length stays."""
    return np.asarray(quaternion) * np.array([-1.0, -1.0, -1.0, 1.0])


def _normalised(quaternion: Floats) -> Floats:
    # np.linalg.norm sums in another order, which changes the last bit.
    x, y, z, w = (float(component) for component in quaternion)
    length = math.sqrt(x * x + y * y + z * z + w * w)
    if length == 0:
        raise ValueError(f"the quaternion {x}, {y}, {z}, {w} has length 0; accepted is any other length")
    return np.array([x, y, z, w]) / length
