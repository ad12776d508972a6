"""Pictures, depths and instance maps of a moment, kept as the files that they are on disk and decoded on access."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from numpy.typing import NDArray

from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs.observations import extra_key
from tabletop_interaction.envs.records.picture_format import PictureFormat, decode_picture
from tabletop_interaction.envs.records.png import decode_depths, decode_instances

_Array = TypeVar("_Array", bound=NDArray[Any])


class EncodedArrays(Mapping[str, _Array]):
    """Arrays by view name, kept encoded and decoded on each access.

    `arrays["view_0"]` is a new array each time; `arrays.encoded["view_0"]` are the bytes of its file.
    """

    def __init__(self, encoded: Mapping[str, bytes], decode: Callable[[bytes], _Array]) -> None:
        self.encoded = dict(encoded)
        self._decode = decode

    def __getitem__(self, name: str) -> _Array:
        if name not in self.encoded:
            raise KeyError(f"no picture of {name!r} was read; read are {sorted(self.encoded)}")
        return self._decode(self.encoded[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.encoded)

    def __len__(self) -> int:
        return len(self.encoded)

    def __contains__(self, name: object) -> bool:
        return name in self.encoded

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EncodedArrays) and self.encoded == other.encoded

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({sorted(self.encoded)})"


class EncodedPictures(EncodedArrays[Picture]):
    """Pictures by view name, uint8 (H, W, 3) RGB, and what was recorded besides them.

    Args:
        encoded: PNG or JPEG of each picture; both may occur in one folder.
        depth, instances: PNG of 16 bits of each map.

    Attributes:
        depth: float32 (H, W) by view name, metres along the camera's z axis, 0 where nothing is seen; may be empty.
        instances: int32 (H, W) by view name, id of the object in each pixel, 0 for the table; may be empty.
    """

    def __init__(
        self,
        encoded: Mapping[str, bytes],
        depth: Mapping[str, bytes] | None = None,
        instances: Mapping[str, bytes] | None = None,
    ) -> None:
        super().__init__(encoded, decode_picture)
        self.depth = EncodedArrays(depth or {}, decode_depths)
        self.instances = EncodedArrays(instances or {}, decode_instances)

    @property
    def encoded_by_key(self) -> dict[str, bytes]:
        """All files, by the observation's key."""
        depth = {extra_key(name, "depth"): file for name, file in self.depth.encoded.items()}
        instances = {extra_key(name, "instances"): file for name, file in self.instances.encoded.items()}
        return {**self.encoded, **depth, **instances}

    def recompressed(self, picture_format: PictureFormat) -> "EncodedPictures":
        """The same with its pictures decoded and encoded in a format; depths and instance maps stay as they are."""
        pictures = {name: picture_format.encode(picture) for name, picture in self.items()}
        return EncodedPictures(pictures, self.depth.encoded, self.instances.encoded)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EncodedPictures) and self.encoded_by_key == other.encoded_by_key

    __hash__ = None
