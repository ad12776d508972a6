"""Options that several commands share, and how a configuration's fields become options."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_type_hints

import docstring_parser
import tyro
from rich.console import Console
from rich.table import Table

from tabletop_interaction.cli.arguments import UNSET, as_typed
from tabletop_interaction.cli.refused import refuse_ignored
from tabletop_interaction.errors import InvalidConfiguration, TabletopError
from tabletop_interaction.program import Refused
from tabletop_interaction.ranges import Count, Processes
from tabletop_interaction.segmentation.config import FAST, Device, ProposalConfig

if TYPE_CHECKING:
    from tabletop_interaction.segmentation.foreign.detections_file import DetectionsFile
    from tabletop_interaction.segmentation.segments import PictureSegmenter

SegmenterName = Annotated[str, tyro.conf.arg(metavar="NAME|FILE|module:Class")]

SetName = Literal[
    "dev", "test", "val", "train", "generalisation-A", "generalisation-B", "generalisation-C", "generalisation-D"
]
HeldOutName = Literal["dev", "val", "test"]
SET_NAMES: tuple[SetName, ...] = get_args(SetName)


def options(kind: type, *names: str, **values: Any) -> Any:
    """Make fields of a configuration options; type, default and help are those of the field.

    `training: Annotated[TrainingConfig, options(TrainingConfig, "steps", "crops.paste_share", steps=400)]` gives the
    options --steps and --paste-share, and a whole `TrainingConfig`.

    Args:
        kind: a dataclass whose fields have defaults.
        names: fields that become options; "crops.paste_share" is a field of the configuration in the field `crops`.
        values: defaults that differ from the class', also of fields that are no options.
    """

    def construct(**given: Any) -> Any:
        try:
            return _made(kind, names, given, {name: values[name] for name in values if name not in given})
        except TabletopError as error:
            raise Refused from as_typed(error, names)

    parameters = list(_parameters(kind, names, values))
    construct.__annotations__ = {one.name: one.annotation for one in parameters}
    construct.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return tyro.conf.arg(constructor=construct)


def _parameters(kind: type, names: Iterable[str], values: Mapping[str, Any]) -> Iterable[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    # A configuration documents its own fields and inherits the descriptions of the others.
    documented = [docstring_parser.parse_from_object(each).params for each in kind.__mro__[-2::-1]]
    helps = {one.arg_name: one.description for params in documented for one in params}
    defaults = vars(kind())
    for name in names:
        outer, _, inner = name.partition(".")
        if inner:
            yield from _parameters(hints[outer], [inner], values)
            continue
        default = values.get(name, defaults[name])
        hidden = "" if default is None else None
        said = tyro.conf.arg(help=" ".join((helps[name] or "").split()), help_behavior_hint=hidden)
        annotation: Any = Annotated[hints[name], said]
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _made(kind: type, names: Iterable[str], given: Mapping[str, Any], hidden: Mapping[str, Any]) -> Any:
    """An instance with the given values of the named fields, and `hidden` ones of others."""
    nested: dict[str, list[str]] = {}
    own = dict(hidden)
    for name in names:
        outer, _, inner = name.partition(".")
        if inner:
            nested.setdefault(outer, []).append(inner)
        else:
            own[name] = given[name]
    hints = get_type_hints(kind) if nested else {}
    return kind(**own, **{outer: _made(hints[outer], inner, given, {}) for outer, inner in nested.items()})


@dataclass(frozen=True)
class NetworkOptions:
    """The segmenter that finds the objects."""

    model: SegmenterName = "default"
    """Segmenter: default, a checkpoint (.safetensors), an ONNX file (.onnx), maskrcnn=WEIGHTS, sam=CHECKPOINT,
    table-colour, or your own as module:Class."""
    fast: bool = False
    """Three scales of the picture instead of seven, for our networks; takes about two thirds of the time."""
    device: Device = "cpu"
    """Device of the network."""

    def load(self, config: ProposalConfig | None = None, limits: ProposalConfig | None = None) -> PictureSegmenter:
        """The segmenter; `config` and `limits` as for `open_segmenter`, with fewer scales if it must be fast.

        Raises:
            InvalidConfiguration: no segmenter has this name, or CUDA is asked for and not there.
            CheckpointError: the file is missing or damaged.
        """
        from tabletop_interaction.segmentation.opening import open_segmenter

        check_device(self.device)
        config = config or ProposalConfig()
        scales = FAST.scales if self.fast else config.scales
        return open_segmenter(self.model, dataclasses.replace(config, scales=scales), self.device, limits)

    def load_for_files(
        self, config: ProposalConfig | None = None, limits: ProposalConfig | None = None
    ) -> PictureSegmenter | DetectionsFile:
        """As `load`, for pictures in files: also a file of detections.

        Raises:
            InvalidDetections: the file holds none.
        """
        from tabletop_interaction.segmentation.opening import is_detections, is_network, open_detections

        if not is_network(self.model):
            refuse_ignored(self, f"with --model {self.model}", "fast")
        if is_detections(self.model):
            return open_detections(self.model, limits or config or ProposalConfig())
        return self.load(config, limits)


@dataclass(frozen=True)
class SessionOptions:
    """How a session of learning trains and evaluates."""

    evaluate_every: Count = 50
    """Interactions between two evaluations."""
    set_name: Annotated[HeldOutName | None, tyro.conf.arg(name="set"), UNSET] = None
    """Held-out set of the evaluations, by default dev, or the run's own when it is resumed; test is for final figures
    only. A missing set is rendered first."""
    pictures: Annotated[Count | None, UNSET] = None
    """Pictures of the set that are evaluated; by default 60, or as many as before when the run is resumed."""
    device: Device = "cpu"
    """Device of the training."""

    def check(self) -> None:
        """Raises InvalidConfiguration when CUDA is asked for and not there."""
        check_device(self.device)


@dataclass(frozen=True)
class LearnSession(SessionOptions):
    """How a session of `tabletop learn` acts, trains and evaluates; a resumed run may change it."""

    workers: Processes = 0
    """Processes that act at once, through Ray, beside one that learns; 0 acts and learns in turn in this process."""
    address: Annotated[str | None, UNSET] = None
    """Address of a Ray cluster whose nodes all see --out under the same path; by default Ray starts on this machine."""

    def check(self) -> None:
        """Raises InvalidConfiguration when options do not go together, or CUDA is asked for and not there."""
        if self.address is not None and self.workers == 0:
            raise InvalidConfiguration("--address names a cluster, which is for --workers 1 or more")
        if self.address is None:
            super().check()


def check_device(device: Device) -> None:
    """Raises InvalidConfiguration when CUDA is asked for and not there."""
    if device == "cpu":
        return
    import torch

    if not torch.cuda.is_available():
        raise InvalidConfiguration("--device cuda came, but torch finds no CUDA device; use --device cpu")


def check_run_path(out: Path) -> None:
    """Raises InvalidConfiguration when `out` is the root of the file system, beside which nothing can be written."""
    if not out.resolve().name:
        raise InvalidConfiguration(f"--out {out} came; name a folder for the run")


def seeds_from(first: int, count: int, option: str) -> range:
    """The seeds that count up from --seed; `option` gives their number.

    Raises:
        InvalidConfiguration: the last one is too large.
    """
    if (last := first + count - 1) >= 2**63:
        raise InvalidConfiguration(f"--seed {first} with {option} {count} counts up to {last}; accepted is below 2**63")
    return range(first, last + 1)


def print_result(console: Console, table: Table, footnotes: Iterable[str]) -> None:
    """Print a table of figures and the lines that explain it."""
    console.print(table)
    for line in footnotes:
        console.print(line, highlight=False, markup=False)
