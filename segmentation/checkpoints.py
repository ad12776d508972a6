"""Networks and states of trainings on disk.

A checkpoint is two files: weights in `NAME.safetensors`, and beside it `NAME.json` with `schema_version`, `kind` (not
for segmentation networks), `network` (the fields of its configuration), `metadata` (seed, steps, data, figures),
`weights` (checksum of the weights' file) and a seal (`seals`). A state is what a training needs to resume, in one file
of torch that ends with its checksum. Loading runs no code and finds every flipped bit. Files of earlier versions have
no checksums and are read without them.

A kill between the two files of a checkpoint leaves the new description with the old weights: until its weights are
written, a description also holds the `previous` one, which is the one that counts then.
"""

import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from textwrap import shorten
from typing import Any, Generic, TypeVar

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from tabletop_interaction.errors import CheckpointError, DamagedState, UnreadableRecords
from tabletop_interaction.files import atomic_path, checksum, plain, write_file
from tabletop_interaction.seals import check_run_id, read_sealed, write_sealed
from tabletop_interaction.segmentation.config import NetworkConfig
from tabletop_interaction.segmentation.network import DeepMask

SCHEMA_VERSION = 1

# A state ends as a zip file without a comment, or with its checksum as the comment.
_ZIP_END, _ZIP_END_BYTES, _CHECKSUM_BYTES = b"PK\x05\x06", 22, 32

NetworkT = TypeVar("NetworkT", bound=nn.Module)


@dataclass(frozen=True)
class NetworkKind(Generic[NetworkT]):
    """A kind of network that checkpoints hold.

    Attributes:
        name: `kind` in the JSON file; None: the file has none.
        config: the dataclass of its configuration.
        make: a network, with any weights, from its configuration.
        how_to_train: what a user does to get such a checkpoint, for messages.
    """

    name: str | None
    config: type[Any]
    make: Callable[[Any], NetworkT]
    how_to_train: str


SEGMENTATION = NetworkKind(
    None, NetworkConfig, DeepMask, "train one with `tabletop learn` or `tabletop train` and give its path"
)


def save_checkpoint(
    network: nn.Module,
    path: str | Path,
    *,
    half: bool = False,
    metadata: Mapping[str, Any] | None = None,
    kind: NetworkKind[Any] = SEGMENTATION,
    run: str | None = None,
) -> None:
    """Write a network that has a `config`; a kill at any moment leaves the old network or the new one.

    Args:
        path: ends in `.safetensors`; its folder is made if need be.
        half: write weights as float16, half the size; BatchNorm's running statistics stay float32.
        metadata: anything that JSON can hold.
        run: id of the run that makes it.

    Raises:
        CheckpointError: the path ends otherwise, or the metadata is not JSON; nothing was written.
        DiskFull: no space is left; the checkpoint is as before.
    """
    weights, description = _pair(path)
    named = {} if kind.name is None else {"kind": kind.name}
    content = {"schema_version": SCHEMA_VERSION, **named, "network": network.config, "metadata": metadata or {}}
    try:
        content = plain(content)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"metadata cannot be written as JSON ({error}); give plain values") from error
    halved = {name for name, _ in network.named_parameters()} if half else set()
    tensors = {
        name: tensor.detach().to("cpu", torch.float16 if name in halved else tensor.dtype).contiguous()
        for name, tensor in network.state_dict().items()
    }
    with atomic_path(weights) as temporary:
        # Not by save_file, whose errors are of another class than the system's.
        temporary.write_bytes(save(tensors))
        content["weights"] = checksum(temporary)
        previous = _previous(weights, description)
        write_sealed(description, {**content, **previous}, run)
    if previous:
        write_sealed(description, content, run)


def load_checkpoint(path: str | Path) -> DeepMask:
    """Read a segmentation network; see `load_network`."""
    return load_network(path, SEGMENTATION)


def load_network(path: str | Path, kind: NetworkKind[NetworkT]) -> NetworkT:
    """Read a network: float32, on the CPU, in evaluation mode.

    Raises:
        CheckpointError: says which file is missing or damaged, or which of its entries do not fit or are not finite.
    """
    weights, _ = _pair(path)
    description = _description(path, kind)
    config = _network_config(path, description, kind)
    try:
        tensors = load_file(weights)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{weights} cannot be read ({error}); copy it again or {kind.how_to_train}") from error
    network = _filled(weights, config, tensors, kind)
    broken = [name for name, tensor in network.state_dict().items() if not tensor.isfinite().all()]
    if broken:
        raise CheckpointError(
            f"the weights in {weights} are not finite: {shorten(', '.join(broken), 200)}; its training diverged or the "
            f"file is damaged; {kind.how_to_train}"
        )
    return network.eval()


def checkpoint_metadata(path: str | Path, kind: NetworkKind[Any] = SEGMENTATION) -> dict[str, Any]:
    """Return the metadata of a checkpoint without loading its weights; errors as of `load_network`."""
    return dict(_description(path, kind)["metadata"])


def is_checkpoint_of(path: str | Path, run: str | None, kind: NetworkKind[Any] = SEGMENTATION) -> bool:
    """Return whether a checkpoint is there and whole.

    Raises:
        ForeignFolder: another run has made it.
    """
    try:
        found = _description(path, kind).get("run")
    except CheckpointError:
        return False
    check_run_id(found, run, path)
    return True


def save_state(path: Path, state: Mapping[str, Any], run: str | None = None) -> None:
    """Write tensors and plain values; the file is whole or as before, even after a kill. Raises DiskFull."""
    # In memory: torch hides why it cannot write to a disk.
    buffer = io.BytesIO()
    torch.save({**state, **({} if run is None else {"run": run})}, buffer)
    # The length of the zip file's comment, and the comment.
    buffer.seek(-2, io.SEEK_END)
    buffer.write(_CHECKSUM_BYTES.to_bytes(2, "little"))
    buffer.write(_digest(buffer.getbuffer()).hexdigest().encode())
    write_file(path, buffer.getvalue())


def load_state(path: Path, run: str | None = None) -> dict[str, Any] | None:
    """Read what `save_state` wrote, onto the CPU from any device; None if there is no file.

    Raises:
        DamagedState: the file is damaged.
        ForeignFolder: another run has written it.
    """
    if not path.exists():
        return None
    content = path.read_bytes()
    if content[-_ZIP_END_BYTES:][:4] != _ZIP_END:
        whole, found = memoryview(content)[:-_CHECKSUM_BYTES], content[-_CHECKSUM_BYTES:]
        if _digest(whole).hexdigest().encode() != found:
            raise DamagedState(f"{path} is damaged (its checksum differs)")
    try:
        if content[-_ZIP_END_BYTES:][:4] == _ZIP_END:
            # torch does not ask the checksums of its zip files.
            with zipfile.ZipFile(io.BytesIO(content)) as file:
                if damaged := file.testzip():
                    raise zipfile.BadZipFile(damaged)
        state = dict(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
    except Exception as error:  # torch has no class of its own for this error.
        # Its message advises to run the code in the file.
        raise DamagedState(f"{path} is damaged, or no state of a training ({type(error).__name__})") from error
    check_run_id(state.pop("run", None), run, path)
    return state


def _digest(content: bytes | memoryview = b"") -> hashlib.blake2b:
    return hashlib.blake2b(content, digest_size=_CHECKSUM_BYTES // 2)


def _pair(path: str | Path) -> tuple[Path, Path]:
    weights = Path(path)
    if weights.suffix != ".safetensors":
        raise CheckpointError(f"a checkpoint's path ends in .safetensors; {str(path)!r} does not")
    return weights, weights.with_suffix(".json")


def _previous(weights: Path, description: Path) -> dict[str, Any]:
    """What a new description says about the weights that are still there: the entry `previous`, or nothing."""
    try:
        described = _matching(weights, description)
    except (UnreadableRecords, OSError):
        return {}
    return {"previous": {"weights": checksum(weights), **described}} if described else {}


def _matching(weights: Path, description: Path) -> dict[str, Any]:
    """The description of the weights that are there, with the id of their run; empty where neither fits.

    Raises:
        UnreadableRecords: the description is damaged.
    """
    content, run = read_sealed(description)
    previous = content.pop("previous", None)
    content |= {} if run is None else {"run": run}
    if "weights" not in content:
        return content
    found = checksum(weights)
    fitting = [one for one in (content, previous) if isinstance(one, dict) and one.get("weights") == found]
    return fitting[0] if fitting else {}


def _description(path: str | Path, kind: NetworkKind[Any]) -> dict[str, Any]:
    """The description of the weights that are there, whose checksum fits."""
    weights, description = _pair(path)
    for file in (weights, description):
        if not file.is_file():
            raise CheckpointError(f"there is no {file}; {kind.how_to_train}")
    try:
        # A run may replace the checkpoint meanwhile.
        content = _matching(weights, description) or _matching(weights, description)
    except UnreadableRecords as error:
        raise CheckpointError(f"{error}, or {kind.how_to_train}") from error
    if not content:
        raise CheckpointError(
            f"{weights} is damaged, or {description} belongs to other weights (the checksum differs); copy both again "
            f"or {kind.how_to_train}"
        )
    if (version := content.get("schema_version")) != SCHEMA_VERSION:
        raise CheckpointError(
            f"{description} has schema version {version} and this release reads {SCHEMA_VERSION}; "
            "load it with the release that wrote it"
        )
    if content.get("kind") != kind.name:
        found, wanted = content.get("kind") or "segmentation network", kind.name or "segmentation network"
        raise CheckpointError(f"{description} describes another network, {found!r}, no {wanted}; {kind.how_to_train}")
    for name in ("network", "metadata"):
        if not isinstance(content.get(name), dict):
            raise CheckpointError(f"{name} in {description} is {content.get(name)!r}; it must be a JSON object")
    return content


def _network_config(path: str | Path, description: Mapping[str, Any], kind: NetworkKind[Any]) -> Any:
    given = description["network"]
    known = {field.name for field in fields(kind.config)}
    if unknown := sorted(given.keys() - known):
        raise CheckpointError(f"{path} describes a network with {unknown}; known are {sorted(known)}")
    try:
        return msgspec.convert(given, kind.config)
    except msgspec.ValidationError as error:
        raise CheckpointError(f"{path} describes no network that can be made: {error}") from error


def _filled(path: Path, config: Any, tensors: Mapping[str, Tensor], kind: NetworkKind[NetworkT]) -> NetworkT:
    try:
        # Shapes without memory: a description of a network larger than its weights costs nothing to refuse.
        with torch.device("meta"):
            kind.make(config).load_state_dict(tensors, assign=True)
        network = kind.make(config)
        network.load_state_dict(tensors)
    except (RuntimeError, MemoryError) as error:
        raise CheckpointError(
            f"the weights in {path} do not fit the network that its JSON file describes: {shorten(str(error), 600)}"
        ) from error
    return network
