"""One episode in full size: a picture after each step with the agent's decision drawn, and a film of them."""

from __future__ import annotations

from pathlib import Path

import imageio.v2 as imageio

from tabletop_interaction.arrays import Picture
from tabletop_interaction.benchmarks.rearrangement.agents import MakesAgent
from tabletop_interaction.benchmarks.rearrangement.episode import Step, play
from tabletop_interaction.benchmarks.rearrangement.setting import MOST_INTERACTIONS
from tabletop_interaction.envs import PickOutcome, TabletopRearrangement
from tabletop_interaction.errors import CameraFault, RobotFault
from tabletop_interaction.reports.decisions import draw_decision, side_by_side
from tabletop_interaction.reports.films import write_film

FILM = "film.mp4"

_MOST_FAULTS = 3


def film_episode(env: TabletopRearrangement, make: MakesAgent, seed: int, out: Path) -> str:
    """Play an episode and write start.png, goal.png, step_01.png and so on, final.png and film.mp4.

    Each step is printed. After a fault that has passed, the episode starts again.

    Args:
        env: the environment.
        make: makes the agent.
        seed: of scene and goal.
        out: an existing folder; its earlier pictures are removed.

    Returns:
        the result in a line.

    Raises:
        RobotFault, CameraFault: it did not pass, or is the third.
    """
    for faults in range(1, _MOST_FAULTS + 1):
        try:
            frames, last = _played(env, make, seed, out)
            break
        except (RobotFault, CameraFault) as fault:
            if not fault.recoverable or faults == _MOST_FAULTS:
                raise
            print(f"{fault}; the episode starts again")
    imageio.imwrite(out / "final.png", last.observation["view_0"])
    write_film(out / FILM, [*frames, _now_and_goal(last, "the end")], frames_per_second=1)
    return _verdict(last, len(frames) - 1)


def _played(env: TabletopRearrangement, make: MakesAgent, seed: int, out: Path) -> tuple[list[Picture], Step]:
    """The film's frames, and the last step."""
    for old in out.glob("*.png"):
        old.unlink()
    frames: list[Picture] = []
    for step in play(env, make, seed, MOST_INTERACTIONS):
        frames.append(_written(step, len(frames), out))
    return frames, step


def _written(step: Step, number: int, out: Path) -> Picture:
    """Write the pictures of a step and give the film's frame of it."""
    if number == 0:
        imageio.imwrite(out / "start.png", step.observation["view_0"])
        imageio.imwrite(out / "goal.png", step.observation["goal_0"])
        return _now_and_goal(step, "start, and the goal")
    outcome = PickOutcome(step.info["pick_outcome"]).name.lower().replace("_", " ")
    print(f"{number}: {step.decision.move.purpose if step.decision else 'acts'}, {outcome}")
    picture = draw_decision(step.decision, str(number)) if step.decision else _now_and_goal(step, f"after {number}")
    imageio.imwrite(out / f"step_{number:02d}.png", picture)
    return picture


def _now_and_goal(step: Step, caption: str) -> Picture:
    return side_by_side(step.observation["view_0"], step.observation["goal_0"], caption)


def _verdict(last: Step, interactions: int) -> str:
    done = "done" if last.info["is_success"] else "not done"
    distances = [float(pixels) for pixels in last.info["goal_distance_px"] if pixels >= 0]
    if not distances:
        share = f"{last.info['fraction_done']:.0%} of what differed from the goal's picture"
        return f"{done} after {interactions} interactions: {share} is as in the goal"
    each = ", ".join(f"{pixels:.1f}" for pixels in distances)
    return f"{done} after {interactions} interactions: {each} px from the goal; accepted are 15 px"
