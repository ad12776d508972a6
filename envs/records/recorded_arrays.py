"""What a recorder takes from each observation: pictures of the views and, on request, depths and instance maps."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs.observations import Extra, extra_key
from tabletop_interaction.envs.records.encoded import EncodedPictures
from tabletop_interaction.envs.records.picture_format import LOSSLESS, PictureFormat
from tabletop_interaction.envs.records.png import encode_depths, encode_instances
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.ranges import shown

REMEDY = "wrap the environment in RecordInteractions first, and in the other wrapper outside it"


class _Kind(NamedTuple):
    """Type of an array, how it is encoded, and how an environment comes to observe it."""

    dtype: type[Any]
    shape: tuple[int, ...]
    encode: Callable[[Any], bytes]
    source: str

    def __str__(self) -> str:
        return f"{np.dtype(self.dtype)} {self.shape}"


class RecordedArrays:
    """The arrays of each moment of an interaction.

    Args:
        views: cameras whose pictures are recorded.
        extras: what is recorded of each view besides.
        picture_format: of the pictures.
    """

    def __init__(
        self, views: Sequence[View], extras: Sequence[Extra], picture_format: PictureFormat = LOSSLESS
    ) -> None:
        self._views, self._extras = views, extras
        self._kinds = {view.name: _picture_kind(view, picture_format) for view in views}
        for extra in extras:
            self._kinds |= {extra_key(view.name, extra): _extra_kind(view, extra) for view in views}

    def check_space(self, space: gym.Space[Any]) -> None:
        """Raise InvalidConfiguration for an observation space that lacks one of the arrays."""
        spaces = space.spaces if isinstance(space, gym.spaces.Dict) else {}
        for key, kind in self._kinds.items():
            found = spaces.get(key)
            if found is None or found.shape != kind.shape or found.dtype != kind.dtype:
                remedy = REMEDY if found is not None else f"{kind.source}, and {REMEDY}"
                raise InvalidConfiguration(
                    f"the observation space has {shown(found)} for {key}; accepted is {kind}; {remedy}"
                )

    def check(self, what: str, found: object) -> None:
        """Raise InvalidConfiguration for an observation that lacks one of the arrays; `what` names it."""
        if not isinstance(found, Mapping):
            raise InvalidConfiguration(f"{what} is a {type(found).__name__}, no dict of pictures; {REMEDY}")
        for key, kind in self._kinds.items():
            array = found.get(key)
            if isinstance(array, np.ndarray) and array.dtype == kind.dtype and array.shape == kind.shape:
                continue
            came = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise InvalidConfiguration(f"{what} has {came} for {key}; accepted is {kind}; {REMEDY}")

    def check_equal(self, observation: Mapping[str, Picture], taken: Mapping[str, Picture]) -> None:
        """Raise InvalidConfiguration where an observation differs from what the environment says that it took."""
        for key in self._kinds:
            if not np.array_equal(observation[key], taken[key]):
                raise InvalidConfiguration(f"a wrapper below changes the picture {key}; {REMEDY}")

    def encoded(self, moments: Sequence[Mapping[str, Any]], threads: Executor) -> list[EncodedPictures]:
        """The arrays of each moment, encoded in parallel; an array that occurs twice is encoded once."""
        distinct = {id(each[key]): (kind, each[key]) for each in moments for key, kind in self._kinds.items()}
        files = dict(zip(distinct, threads.map(_encoded, distinct.values()), strict=True))
        return [self._pictures({key: files[id(each[key])] for key in self._kinds}) for each in moments]

    def _pictures(self, files: Mapping[str, bytes]) -> EncodedPictures:
        pictures = {view.name: files[view.name] for view in self._views}
        extras = {
            str(extra): {view.name: files[extra_key(view.name, extra)] for view in self._views}
            for extra in self._extras
        }
        return EncodedPictures(pictures, **extras)


def _picture_kind(view: View, picture_format: PictureFormat) -> _Kind:
    source = "make the environment with the observation 'pictures' or 'both'"
    return _Kind(np.uint8, (view.height, view.width, 3), picture_format.encode, source)


def _extra_kind(view: View, extra: Extra) -> _Kind:
    dtype, encode = (np.float32, encode_depths) if extra == "depth" else (np.int32, encode_instances)
    return _Kind(dtype, (view.height, view.width), encode, f"make the environment with extras=({extra!r},)")


def _encoded(kind_and_array: tuple[_Kind, Any]) -> bytes:
    kind, array = kind_and_array
    return kind.encode(array)
