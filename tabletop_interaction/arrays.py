"""Names of array types: element type and meaning; a docstring says the shape where it is narrower.

| name | element | shape |
|---|---|---|
| `Picture` | uint8 | (height, width, 3), RGB |
| `FloatPicture` | float32 | (height, width) or (height, width, channels) |
| `Mask`, `Masks` | bool | (height, width); (number, height, width) |
| `Ids` | int32 | (height, width), which object is seen in each pixel |
| `Points` | float64 | (number, 2) or (number, 3) |
| `Bools`, `Bytes`, `Ints`, `Floats`, `Floats32` | bool, uint8, int64, float64, float32 | any |
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Bools: TypeAlias = NDArray[np.bool_]
Bytes: TypeAlias = NDArray[np.uint8]
Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Floats32: TypeAlias = NDArray[np.float32]

Picture: TypeAlias = NDArray[np.uint8]
FloatPicture: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]
Masks: TypeAlias = NDArray[np.bool_]
Ids: TypeAlias = NDArray[np.int32]
Points: TypeAlias = NDArray[np.float64]
