"""Wrong arguments of environments and of the recorder: seeds, options, actions, constructors, wrappers below."""

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from attack import Attack

from tabletop_interaction.envs import (
    Interaction,
    RecordInteractions,
    TabletopInteraction,
    TabletopRearrangement,
    read_interactions,
)
from tabletop_interaction.envs.records.encoded import EncodedPictures
from tabletop_interaction.envs.records.png import encode_picture
from tabletop_interaction.ranges import shown
from tabletop_interaction.simulation import SimulationConfig

Attacks = Callable[[str], Attack]
Samples = Callable[..., Any]
Env = gym.Env[Any, Any]

ENVIRONMENTS = ("interaction", "rearrangement", "recorder")
SEEDS = [0, 7, 2**63 - 1, np.int8(3), np.uint64(2**63 - 1)]
NO_SEEDS = [
    -1, -(2**63), 2**63, 2**64, 10**5000, 1.0, 1.5, math.nan, math.inf, 1 + 0j, Fraction(3), True, False, "", "3", b"3",
    [], [3], (3, 4), {}, {3}, object(), int, math.sin, slice(3), np.array(3.0), np.array([3]), np.zeros((200, 2)),
    np.int64(-1), np.uint64(2**63), np.float32(3), np.float64("nan"), np.bool_(True), np.str_("3"), torch.tensor(3.0),
    np.datetime64("2026"), np.random.default_rng(3), Path("3"), "\n", "x" * 10_000,
]  # fmt: skip
NO_NUMBERS = [
    None, "x", "", b"x", [], {}, object(), math.nan, math.inf, -math.inf, -1, 10**400, True, 1j, [1], np.array([1, 2]),
    np.float32("nan"), "\n", int, Path("x"),
]  # fmt: skip


class CountsMoves:
    """A mixin for a backend: counts the calls that move something."""

    moves = 0

    def reset(self, *args: Any, **kwargs: Any) -> Any:
        CountsMoves.moves += 1
        return super().reset(*args, **kwargs)  # type: ignore[misc]

    def pick(self, *args: Any) -> Any:
        CountsMoves.moves += 1
        return super().pick(*args)  # type: ignore[misc]


@pytest.fixture
def table(painted_table: Any) -> Callable[[], Any]:
    return partial(type("CountedTable", (CountsMoves, painted_table), {}), 35, 43)


@pytest.fixture
def env(request: pytest.FixtureRequest, table: Callable[[], Any], tmp_path: Path) -> Iterator[Env]:
    """One of ENVIRONMENTS, by the test's parameter."""
    made: Env = TabletopInteraction(table())
    if request.param == "rearrangement":
        (tmp_path / "goal.png").write_bytes(encode_picture(np.zeros((35, 43, 3), np.uint8)))
        made = TabletopRearrangement(table(), goal=tmp_path / "goal.png")
    elif request.param == "recorder":
        made = RecordInteractions(made, tmp_path / "rows")
    with closing(made):
        yield made


def unmoved(call: Callable[[], object]) -> bool:
    """False when the call returns, so that only a refusal counts as right; it must not move anything."""
    before = CountsMoves.moves
    try:
        call()
    finally:
        assert before == CountsMoves.moves, "something was moved"
    return False


@pytest.mark.parametrize("env", ENVIRONMENTS, indirect=True)
def test_seeds(attack: Attacks, samples: Samples, env: Env) -> None:
    with attack("environment: seeds") as seeds:
        for seed in SEEDS:
            used = partial(lambda seed, _: env.unwrapped.np_random_seed == int(seed), seed)
            seeds.call(partial(env.reset, seed=seed), used, what=f"{env} {seed}")
        for seed in samples(NO_SEEDS, short=14):
            seeds.call(partial(unmoved, partial(env.reset, seed=seed)), bool, what=f"{env} {shown(seed)}")


@pytest.mark.parametrize("env", ENVIRONMENTS, indirect=True)
def test_options(attack: Attacks, samples: Samples, env: Env) -> None:
    wrong: list[Any] = [5, "new_scene", b"x", True, 1.5, [1], ("new_scene", True), {"new_scene"}, object(), np.zeros(2)]
    wrong += [{5: 1}, {"new": True}, {None: None}, {"new_scene\n": True}, {("displaced",): 1}]
    no_numbers = [*NO_NUMBERS[1:], 0, 4, 1.5, "2", Fraction(1, 2), np.array([]), np.int64(7), torch.zeros(2)]
    if isinstance(env, TabletopRearrangement):
        wrong += [{"displaced": value} for value in no_numbers]
        wrong += [
            {"goal": value} for value in (5, 1.5, [5], [[]], {}, b"x", "missing.png", "", [], ["a"] * 9, object())
        ]
    else:
        wrong += [{"new_scene": value} for value in [None, *no_numbers] if value is not True]
    env.reset(seed=1)
    with attack("environment: options of reset") as resets:
        for options in samples(wrong, short=12):
            resets.call(partial(unmoved, partial(env.reset, options=options)), bool, what=f"{env} {shown(options)}")


@pytest.mark.parametrize("env", ENVIRONMENTS, indirect=True)
def test_actions(attack: Attacks, samples: Samples, env: Env) -> None:
    good = [np.zeros(5), [0.0] * 5, (1, -1, 0, 1, -1), np.full(5, -1, np.int8), np.ones(5, np.float16), torch.zeros(5)]
    wrong: list[Any] = [*NO_NUMBERS, [10**400, 0, 0, 0, 0], "00000", ["0"] * 5, [None] * 5, [True] * 5, [0j] * 5]
    wrong += [[[0]] * 5, [0, [1]], {0: 1}]
    wrong += [np.zeros(shape) for shape in ((), 0, 1, 4, 6, (1, 5), (5, 1), (5, 5), 10_000)]
    wrong += [np.full(5, value) for value in (math.nan, math.inf, -math.inf, 1.001, -2, 1e300)]
    wrong += [np.zeros(5, dtype) for dtype in ("?", "c8", "O", "U3", "S3", "M8[D]", "m8[s]", "V4", [("x", "f4")])]
    wrong += [np.ma.masked_all(5), torch.zeros(5, requires_grad=True), torch.full((5,), 2.0)]
    wrong += [np.where(np.arange(5) == place, math.nan, 0) for place in range(5)]
    env.reset(seed=1)
    with attack("environment: actions") as actions:
        for action in good:
            actions.call(partial(env.step, action), lambda result: len(result) == 5, what=f"{env} {action}")
        for action in samples(wrong, short=15):
            actions.call(partial(unmoved, partial(env.step, action)), bool, what=f"{env} {shown(action)}")
        after = partial(env.step, np.zeros(5))
        actions.call(after, lambda result: len(result) == 5, what=f"{env}: a good one after the others")


def test_arguments_of_gym_make(
    attack: Attacks, samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    no_names: list[Any] = ["", "training", b"train", "train\n", ["train"], np.array(["train", "val"]), {}, object(), 5]
    no_configs: list[Any] = [5, "x", b"x", [], [1], object(), int, True, math.nan, np.zeros(3)]
    no_configs += [
        {"objects": 4},
        {5: 4},
        {None: 1},
        {"objects_min": 9},
        {"object_names": ["a"] * 9},
        {"backgrounds": [1]},
    ]
    fields = inspect.signature(SimulationConfig).parameters
    # None is accepted for both sequences, and True for shadows.
    no_configs += [{name: value} for name in fields for value in NO_NUMBERS if value is not None and value is not True]
    # The plain forms of the Sawyer's own gripper, and of no objects and no table tops of the user's own.
    defaults = [repr({"gripper": {}}), repr({"objects": []}), repr({"tables": []})]
    no_configs = [each for each in no_configs if repr(each) not in defaults]
    wrong: list[tuple[str, dict[str, Any]]] = [
        *(("Interaction", {"episodes_per_scene": value}) for value in [*NO_NUMBERS, 0, 1.5]),
        *(("Interaction", {name: value}) for name in ("split", "backend") for value in no_names),
        *(("Interaction", {"config": value}) for value in no_configs),
        *(("Interaction", {"render_mode": value}) for value in ("ansi", "", "rgb_array ")),
        *(
            (name, {"observation": value})
            for name in ("Interaction", "Rearrangement")
            for value in [*NO_NUMBERS, "", "state ", "depth", ["state"], ("pictures", "state")]
        ),
        *(
            (name, {"extras": value})
            for name in ("Interaction", "Pushing")
            for value in [
                None,
                5,
                "depth",
                b"depth",
                ["depth", 5],
                [["depth"]],
                {"depth": True},
                ("depth\n",),
                object(),
            ]
        ),
        *(
            ("Rearrangement", {name: value})
            for name in ("displaced", "goal", "judge")
            for value in (5, 1.5, math.nan, b"x", {}, [5], object())
        ),
    ]
    with attack("environment: arguments of gym.make") as arguments:
        for name, given in samples(wrong, short=40):
            make = partial(gym.make, f"tabletop_interaction:Tabletop{name}-v0", **given)
            arguments.call(make, lambda _: False, what=f"{name} {shown(given)}")
    assert list(tmp_path.iterdir()) == []


def test_arguments_of_the_recorder(
    attack: Attacks, table: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    circle: dict[str, Any] = {}
    circle["self"] = circle
    wrong: list[tuple[str, Any]] = [
        *(("folder", value) for value in (None, 5, b"x", [], "", "file")),
        *(("writer", value) for value in (5, "", "a/b", "../x", ".", "w 0", "w\n", "x" * 300, b"w", [], True)),
        *(("rows_per_shard", value) for value in [*NO_NUMBERS, 0, 1.5]),
        *(("extras", value) for value in (None, 5, "depth", [5], ["depths"], ["depth"], {"depth"}, ("instances",))),
        *(("metadata", value) for value in (5, "x", [1], {"a": object()}, {(1, 2): 3}, {"a": 1j}, {"a": {1}}, circle)),
        *(("env", value) for value in (None, 5, "x", object(), TabletopInteraction, gym.make("CartPole-v1"))),
    ]
    with attack("recorder: arguments") as arguments:
        for name, value in wrong:
            given = {"env": TabletopInteraction(table()), "folder": "rows", name: value}
            arguments.call(partial(RecordInteractions, **given), lambda _: False, what=f"{name} {shown(value)}")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.filterwarnings("ignore")
def test_wrappers_below_the_recorder(attack: Attacks, table: Callable[[], Any], tmp_path: Path) -> None:
    """Either a row holds the pictures that the backend took, or the wrapper is refused and nothing is written."""
    with attack("recorder: wrappers below") as wrappers:
        for name in _wrappers(TabletopInteraction(table())):
            backend, folder, taken = table(), tmp_path / name.replace("/", "-"), []
            backend.observe = partial(_noted, backend.observe, taken)
            try:
                below = _wrappers(TabletopInteraction(backend))[name]()
            except (AssertionError, AttributeError, TypeError, ValueError, gym.error.Error):
                # Gymnasium itself refuses this wrapper.
                continue
            wrappers.call(partial(_record, below, folder), partial(_are_of, taken), what=name)
            rows = list(read_interactions(folder)) if folder.exists() else []
            assert rows == [] or _are_of(taken, rows), name


def _noted(look: Callable[[], Any], taken: list[Any]) -> Any:
    taken.append(look())
    return taken[-1]


def _record(env: Env, folder: Path) -> list[Interaction]:
    with closing(RecordInteractions(env, folder)) as recorder:
        recorder.reset(seed=1)
        recorder.step(np.full(5, 0.9, np.float32))
    return list(read_interactions(folder))


def _are_of(taken: list[dict[str, Any]], rows: list[Interaction]) -> bool:
    png = [EncodedPictures({name: encode_picture(picture) for name, picture in pictures.items()}) for pictures in taken]
    return [(row.before, row.held, row.after) for row in rows] == [(png[0], png[1], png[-1])]


class _WithoutInfo(gym.Wrapper[Any, Any, Any, Any]):
    def __init__(self, env: Env, key: str) -> None:
        super().__init__(env)
        self.key = key

    def step(self, action: Any) -> Any:
        *result, info = super().step(action)
        return *result, {key: value for key, value in info.items() if key != self.key}


def _wrappers(env: Env) -> dict[str, Callable[[], Env]]:
    """Gymnasium's wrappers and others around an environment with one picture, made when called."""
    wrappers, spaces = gym.wrappers, env.observation_space
    ((view, box),) = spaces.spaces.items()  # type: ignore[attr-defined]
    low, high = np.zeros(5, np.float32), np.full(5, 4, np.float32)

    def changed(change: Callable[[Any], Any], *shape: int, dtype: Any = np.uint8) -> Callable[[], Env]:
        """One picture changed, and its space where a shape is given."""
        space = gym.spaces.Dict({view: gym.spaces.Box(0, 255, shape, dtype)}) if shape else spaces
        return lambda: wrappers.TransformObservation(env, lambda seen: {view: change(seen[view])}, space)

    def replaced(change: Callable[[Any], Any], space: Any = spaces) -> Callable[[], Env]:
        return lambda: wrappers.TransformObservation(env, change, space)

    return {
        "nothing": lambda: env,
        "TimeLimit": lambda: wrappers.TimeLimit(env, 5),
        "Autoreset": lambda: wrappers.Autoreset(env),
        "OrderEnforcing": lambda: wrappers.OrderEnforcing(env),
        "PassiveEnvChecker": lambda: wrappers.PassiveEnvChecker(env),
        "RecordEpisodeStatistics": lambda: wrappers.RecordEpisodeStatistics(env),
        "TransformReward": lambda: wrappers.TransformReward(env, lambda reward: 2 * reward),
        "NormalizeReward": lambda: wrappers.NormalizeReward(env),
        "ClipAction": lambda: wrappers.ClipAction(env),
        "RescaleAction": lambda: wrappers.RescaleAction(env, low, high),
        "StickyAction": lambda: wrappers.StickyAction(env, 0.5),
        "TransformAction": lambda: wrappers.TransformAction(env, lambda action: action / 2, env.action_space),
        "TimeAwareObservation": lambda: wrappers.TimeAwareObservation(wrappers.TimeLimit(env, 5), flatten=False),
        "FilterObservation": lambda: wrappers.FilterObservation(env, [view]),
        "FlattenObservation": lambda: wrappers.FlattenObservation(env),
        "FrameStackObservation": lambda: wrappers.FrameStackObservation(env, 2),
        "DelayObservation": lambda: wrappers.DelayObservation(env, 1),
        "NormalizeObservation": lambda: wrappers.NormalizeObservation(env),
        "AddRenderObservation": lambda: wrappers.AddRenderObservation(env, render_only=False),
        "MaxAndSkipObservation": lambda: wrappers.MaxAndSkipObservation(env),
        "resized": changed(lambda seen: seen[::2], 18, 43, 3),
        "resized, space kept": changed(lambda seen: seen[::2]),
        "grey": changed(lambda seen: seen.mean(axis=2).astype(np.uint8), 35, 43),
        "grey, space kept": changed(lambda seen: seen.mean(axis=2).astype(np.uint8)),
        "transposed": changed(lambda seen: seen.transpose(1, 0, 2), 43, 35, 3),
        "channels first": changed(lambda seen: seen.transpose(2, 0, 1)),
        "BGR": changed(lambda seen: seen[..., ::-1]),
        "mirrored": changed(lambda seen: seen[:, ::-1]),
        "darker": changed(lambda seen: seen // 2),
        "float32": changed(lambda seen: seen.astype(np.float32), 35, 43, 3, dtype=np.float32),
        "float64, space kept": changed(lambda seen: seen / 255),
        "int16, space kept": changed(lambda seen: seen.astype(np.int16)),
        "a list": changed(lambda seen: seen.tolist()),
        "None": changed(lambda _: None),
        "torch": changed(torch.from_numpy),
        "renamed": replaced(lambda seen: {"left": seen[view]}, gym.spaces.Dict({"left": box})),
        "renamed, space kept": replaced(lambda seen: {"left": seen[view]}),
        "no pictures": replaced(lambda _: {}),
        "one array": replaced(lambda seen: seen[view], box),
        **{f"info without {key}": partial(_WithoutInfo, env, key) for key in ("held", "scene", "pick_xy")},
    }
