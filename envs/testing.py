"""`check_backend`: the test that every backend must pass, for authors of backends."""

from collections.abc import Callable

import numpy as np

from tabletop_interaction.envs.backend import Backend, Grasp, Pictures
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import AlreadyHolding, BackendContractError, TabletopError, UnreachableTarget

_ROUND_TRIP_PX = 0.5


def check_backend(make: Callable[[], Backend], *, picks: int = 3, seed: int = 0) -> None:
    """Run a backend through the whole Backend protocol and raise at the first broken rule.

    The test opens the backend, resets it, observes, picks and places at `picks` random points (every second
    time at another angle), sweeps once and closes. On hardware this moves the arm: keep a hand on the emergency stop.

    Raises:
        BackendContractError: says which rule was broken, what came and what is accepted.
    """
    rng = np.random.default_rng(seed)
    backend = make()
    _require(isinstance(backend, Backend), f"{type(backend).__name__} lacks members of the Backend protocol")
    with backend as entered:
        _require(entered is backend, "__enter__ returned another object; accepted is the backend itself")
        _check_views(backend)
        returned = backend.reset(rng, new_scene=True)
        _require(isinstance(returned, int), f"reset returned {returned!r}; accepted is a count of objects (int)")
        _require(isinstance(backend.background, str), f"background is {backend.background!r}; accepted is a str")
        _check_pictures(backend)
        _check_refusals(backend)
        for number in range(picks):
            _check_pick_and_place(backend, rng, turned=number % 2 == 1)
        arena = backend.arena
        backend.sweep((arena.x_min, arena.y_min), arena.centre)
        backend.reset(rng, new_scene=False)
        _check_pictures(backend)
    backend.close()


def _check_views(backend: Backend) -> None:
    arena, views = backend.arena, backend.views
    _require(arena.x_min < arena.x_max and arena.y_min < arena.y_max, f"the arena {arena} is empty")
    _require(len(views) > 0, "views is empty; accepted is one view or more")
    _require(
        len({view.name for view in views}) == len(views),
        f"views have the names {[view.name for view in views]}; accepted are different names",
    )
    for view in views:
        _check_round_trip(backend, view)


def _check_round_trip(backend: Backend, view: View) -> None:
    centre = np.array([[*backend.arena.centre, 0.0]])
    pixels = view.project(centre)
    _require(
        bool(((pixels >= 0) & (pixels <= [view.width - 1, view.height - 1])).all()),
        f"{view.name} sees the arena's centre at pixel {pixels[0].round(1).tolist()}, outside its "
        f"{view.width} x {view.height} picture",
    )
    again = view.project(view.unproject(pixels))
    error = float(np.abs(again - pixels).max())
    _require(error < _ROUND_TRIP_PX, f"{view.name}: pixel -> arena -> pixel is off by {error:.2f} px")


def _check_pictures(backend: Backend) -> Pictures:
    pictures = backend.observe()
    expected = [view.name for view in backend.views]
    _require(list(pictures) == expected, f"observe gave {list(pictures)}; accepted are {expected}, in this order")
    for view in backend.views:
        picture = pictures[view.name]
        shape = (view.height, view.width, 3)
        _require(
            picture.dtype == np.uint8 and picture.shape == shape,
            f"{view.name} is {picture.dtype} {picture.shape}; accepted is uint8 {shape}",
        )
        _require(int(picture.min()) != int(picture.max()), f"{view.name} is blank")
    return pictures


def _check_refusals(backend: Backend) -> None:
    arena = backend.arena
    outside = (arena.x_max + 1.0, arena.centre[1])
    for what, call in (
        ("pick", lambda: backend.pick(*outside, 0.0)),
        ("place", lambda: backend.place(*outside)),
        ("turned place", lambda: backend.place(*outside, 0.5)),
        ("sweep", lambda: backend.sweep(outside, arena.centre)),
    ):
        error = _expect(UnreachableTarget, call, f"{what} a metre outside the arena")
        _require(error.recoverable, f"{what} outside the arena: the error must be recoverable")
    _expect(UnreachableTarget, lambda: backend.place(*arena.centre, float("nan")), "place at an angle of NaN")


def _check_pick_and_place(backend: Backend, rng: np.random.Generator, *, turned: bool) -> None:
    arena = backend.arena
    pick = rng.uniform([arena.x_min, arena.y_min], [arena.x_max, arena.y_max])
    place = rng.uniform([arena.x_min, arena.y_min], [arena.x_max, arena.y_max])
    grasp = backend.pick(float(pick[0]), float(pick[1]), float(rng.uniform(-np.pi / 2, np.pi / 2)))
    _require(isinstance(grasp, Grasp), f"pick returned {grasp!r}; accepted is a Grasp")
    _check_pictures(backend)
    if grasp.held:
        _check_refusals_while_holding(backend)
    backend.place(float(place[0]), float(place[1]), float(rng.uniform(-np.pi, np.pi)) if turned else None)
    _check_pictures(backend)


def _check_refusals_while_holding(backend: Backend) -> None:
    arena = backend.arena
    corner, what = (arena.x_min, arena.y_min), "while something is held"
    _expect(AlreadyHolding, lambda: backend.pick(*arena.centre, 0.0), f"pick {what}")
    _expect(AlreadyHolding, lambda: backend.sweep(corner, arena.centre), f"sweep {what}")


def _expect(kind: type[TabletopError], call: Callable[[], object], what: str) -> TabletopError:
    try:
        call()
    except kind as error:
        return error
    raise BackendContractError(f"{what} must raise {kind.__name__}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise BackendContractError(message)
