"""RecordInteractions: an environment wrapper that writes every interaction to disk."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs.actions import PickPlace, Push
from tabletop_interaction.envs.backend import PRIMITIVES, PickOutcome, Primitive
from tabletop_interaction.envs.observations import Extra, check_extras
from tabletop_interaction.envs.records.encoded import EncodedPictures
from tabletop_interaction.envs.records.journal import open_writer
from tabletop_interaction.envs.records.picture_format import JPEG_STEP, PICTURES_IN_META, FormatName, PictureFormat
from tabletop_interaction.envs.records.recorded_arrays import REMEDY, RecordedArrays
from tabletop_interaction.envs.records.row import Interaction, PushRow, no_pick
from tabletop_interaction.errors import InvalidAction, InvalidConfiguration
from tabletop_interaction.files import AnyPath, plain
from tabletop_interaction.ranges import check_choice, check_seed, check_value

ENCODING_THREADS = 4
_ATTRIBUTES = ("views", "split", "background", "metadata_for_records", "interactions")
_INFO_KEYS: Mapping[Primitive, tuple[str, ...]] = {
    "pick": ("held", "grasped", "pick_outcome", "pick_xy", "place_xy", "pick_place", "scene"),
    "push": ("before", "moved", "came_down", "start_xy", "end_xy", "push", "scene"),
}
_PICTURES_IN_INFO: Mapping[Primitive, str] = {"pick": "held", "push": "before"}


class RecordInteractions(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Write a row for each step; when `step` returns, the row survives a kill.

    Args:
        env: an environment of this package, or a wrapper around one that does not change its pictures. It may change
            actions: a row holds the executed pick-and-place or push. One without an attribute `primitive` picks.
        folder: new, empty, or with interactions of the same primitive, split, views, extras, backend and renderer.
        writer: name of this writer; None takes the first of w0, w1, ... that was never used in the folder.
        metadata: plain JSON that is added to the environment's metadata in meta.json; its key "pictures" is
            reserved for the format.
        rows_per_shard: interactions per shard.
        extras: "depth" and "instances", recorded of each view at each moment; the environment observes them.
        picture_format: "png", which is lossless, or "jpeg", which takes a sixth of the disk. A folder may hold both;
            meta.json names that of the first writer.
        jpeg_step: step of "jpeg" in grey levels, 1 to 255.

    Attributes:
        folder: absolute path of the records' folder.
        last_interaction: the row of the last step, None before the first step.

    Raises:
        InvalidConfiguration: the environment lacks an attribute that a row needs, its observation space is not that of
            its views, or an argument is wrong; nothing was opened.
        ForeignFolder, FolderInUse, DiskFull: as `open_writer`.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        folder: AnyPath,
        *,
        writer: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        rows_per_shard: int = 64,
        extras: Sequence[Extra] = (),
        picture_format: FormatName = "png",
        jpeg_step: int = JPEG_STEP,
    ) -> None:
        if not isinstance(env, gym.Env):
            raise InvalidConfiguration(
                f"env is a {type(env).__name__}; accepted is one gymnasium.Env; of a vector, wrap each environment"
            )
        check_value("folder", folder, str | os.PathLike)
        if not os.fspath(folder):
            raise InvalidConfiguration("folder is ''; give the path of a new folder, or of one with interactions")
        check_extras(extras)
        pictures = PictureFormat(picture_format, jpeg_step)
        # Absolute, so that rows and copies made from the spec go to one folder wherever the process works later.
        self.folder = Path(folder).absolute()
        RecordConstructorArgs.__init__(
            self,
            folder=str(self.folder),
            writer=writer,
            metadata=_plain(metadata),
            rows_per_shard=rows_per_shard,
            extras=list(extras),
            picture_format=picture_format,
            jpeg_step=jpeg_step,
        )
        gym.Wrapper.__init__(self, env)
        if missing := [name for name in _ATTRIBUTES if not env.has_wrapper_attr(name)]:
            raise InvalidConfiguration(
                f"{env} has no {missing[0]!r}, so its interactions cannot be recorded; wrap an environment of this "
                "package"
            )
        self.last_interaction: Interaction | None = None
        self._views = tuple(env.get_wrapper_attr("views"))
        self._primitive: Primitive = env.get_wrapper_attr("primitive") if env.has_wrapper_attr("primitive") else "pick"
        check_choice("primitive of the environment", self._primitive, PRIMITIVES)
        self._arrays = RecordedArrays(self._views, extras, pictures)
        self._arrays.check_space(env.observation_space)
        self._writer = open_writer(
            self.folder,
            split=env.get_wrapper_attr("split"),
            views=[view.name for view in self._views],
            metadata={
                **env.get_wrapper_attr("metadata_for_records"),
                **_plain(metadata),
                PICTURES_IN_META: pictures.plain(),
            },
            writer=writer,
            rows_per_shard=rows_per_shard,
            primitive=self._primitive,
            extras=extras,
        )
        self._encoders = ThreadPoolExecutor(ENCODING_THREADS, thread_name_prefix="pictures")
        self._before: EncodedPictures | None = None
        self._seed, self._episode, self._step = -1, -1, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment; nothing is written.

        Raises:
            InvalidConfiguration: a seed that is no whole number from 0 to 2**63 - 1, before anything moves; or, after
                the reset, a wrapper below changes the pictures or drops what a row needs.
        """
        seed = check_seed(seed)
        self._before = None
        observation, info = self.env.reset(seed=seed, options=options)
        self._check_result(observation, info)
        # After a reset both are the same, and a wrapper changes the observation only.
        self._arrays.check_equal(observation, info[_PICTURES_IN_INFO[self._primitive]])
        if seed is not None:
            self._seed, self._episode = seed, -1
        self._episode += 1
        self._step = 0
        (self._before,) = self._encoded(observation)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment and write the interaction.

        Raises:
            DiskFull: the interaction was made but not written; later ones can be recorded.
            InvalidConfiguration: as `reset`; the interaction was made but not written.
        """
        if self._before is None:
            raise gym.error.ResetNeeded("step was called before reset; call reset first")
        before, self._before = self._before, None
        begun = self.env.get_wrapper_attr("interactions")
        try:
            observation, reward, terminated, truncated, info = self.env.step(action)
        except InvalidAction:
            self._before = before
            raise
        if (made := self.env.get_wrapper_attr("interactions") - begun) != 1:
            # Such as Autoreset, or a wrapper that repeats actions: its pictures are not those of one interaction.
            raise InvalidConfiguration(f"a wrapper below made {made} interactions in one step; {REMEDY}")
        self._check_result(observation, info)
        interaction = self._interaction(before, observation, info)
        self._before = interaction.after
        self._step += 1
        self.last_interaction = self._writer.append(interaction)
        return observation, reward, terminated, truncated, info

    def close(self) -> None:
        """Close the writer and the environment; a second call does nothing."""
        try:
            self._writer.close()
        finally:
            self._encoders.shutdown()
            super().close()

    def _check_result(self, observation: Any, info: Mapping[str, Any]) -> None:
        """Refuse pictures of another size than the views', and an `info` without what a row needs."""
        keys, key = _INFO_KEYS[self._primitive], _PICTURES_IN_INFO[self._primitive]
        if missing := [each for each in keys if each not in info]:
            raise InvalidConfiguration(f"info has no {missing[0]!r}; recording needs {', '.join(keys)}; {REMEDY}")
        self._arrays.check("the observation", observation)
        self._arrays.check(f"info[{key!r}]", info[key])

    def _encoded(self, *moments: Mapping[str, Picture]) -> list[EncodedPictures]:
        return self._arrays.encoded(moments, self._encoders)

    def _interaction(
        self, before: EncodedPictures, observation: Mapping[str, Picture], info: Mapping[str, Any]
    ) -> Interaction:
        done = self._pushed(observation, info) if self._primitive == "push" else self._picked(observation, info)
        return Interaction(
            before=before,
            **done,
            views=self._views,
            split=self.env.get_wrapper_attr("split"),
            background=self.env.get_wrapper_attr("background"),
            seed=self._seed,
            episode=self._episode,
            step=self._step,
            scene=int(info["scene"]),
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )

    def _picked(self, observation: Mapping[str, Picture], info: Mapping[str, Any]) -> dict[str, Any]:
        """What a row of a pick-and-place has of its own."""
        held, after = self._encoded(info["held"], observation)
        return {
            "held": held,
            "after": after,
            "pick_place": PickPlace.from_array(info["pick_place"]),
            "grasped": bool(info["grasped"]),
            "pick_outcome": PickOutcome(info["pick_outcome"]),
            "pick_xy": np.asarray(info["pick_xy"], np.float32),
            "place_xy": np.asarray(info["place_xy"], np.float32),
        }

    def _pushed(self, observation: Mapping[str, Picture], info: Mapping[str, Any]) -> dict[str, Any]:
        """What a row of a push has of its own."""
        (after,) = self._encoded(observation)
        pushed = PushRow(
            push=Push.from_array(info["push"]),
            came_down=bool(info["came_down"]),
            moved=bool(info["moved"]),
            start_xy=np.asarray(info["start_xy"], np.float32),
            end_xy=np.asarray(info["end_xy"], np.float32),
        )
        return {"held": after, "after": after, "pushed": pushed, **no_pick(len(self._views))}


def _plain(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    check_value("metadata", metadata, Mapping | None)
    if PICTURES_IN_META in (metadata or {}):
        raise InvalidConfiguration(
            f"metadata has the key {PICTURES_IN_META!r}, which meta.json uses for the format of the pictures; give it "
            "another name"
        )
    try:
        return dict(plain(metadata or {}))
    except (TypeError, ValueError) as error:
        raise InvalidConfiguration(f"metadata cannot be written as JSON: {error}") from error
