"""One episode in full size: a picture after each step with the agent's decision drawn, and a film of them."""

from pathlib import Path

import cv2
import numpy as np

from tabletop_interaction.agents.rearranging.matching import SegmentedPicture
from tabletop_interaction.agents.rearranging.rearranger import Decision
from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.benchmarks.figures import counted
from tabletop_interaction.benchmarks.rearrangement.agents import MakesAgent
from tabletop_interaction.benchmarks.rearrangement.episode import Step, play
from tabletop_interaction.benchmarks.rearrangement.setting import MOST_INTERACTIONS
from tabletop_interaction.envs import PickOutcome, TabletopRearrangement
from tabletop_interaction.envs.judges import tolerance_px
from tabletop_interaction.envs.rearrangement import goal_key
from tabletop_interaction.envs.records.png import encode_picture
from tabletop_interaction.errors import CameraFault, RobotFault
from tabletop_interaction.files import write_file
from tabletop_interaction.reports.films import write_film
from tabletop_interaction.reports.outcomes import OUTCOMES
from tabletop_interaction.reports.sheets import header_row, with_caption
from tabletop_interaction.segmentation.lettering import BLACK, Colour, write_words
from tabletop_interaction.segmentation.overlays import outlined

FILM = "film.mp4"

_MOST_FAULTS = 3
_SEGMENT, _MOVED, _IN_PLACE, _OTHER = (255, 80, 60), (255, 221, 51), (51, 221, 119), (225, 225, 225)
_LETTERS_PX = 16
_NOW_AND_GOAL = ("now", "goal")


def film_episode(env: TabletopRearrangement, make: MakesAgent, seed: int, out: Path) -> str:
    """Play an episode and write start.png, goal.png, step_01.png and so on, final.png and film.mp4.

    Each step is printed. After a fault that has passed, the episode starts again. Earlier pictures in the existing
    folder `out` are removed.

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
    write_file(out / "final.png", encode_picture(_first_view(last)[0]))
    verdict = _verdict(last, len(frames) - 1, tolerance_px(env.views[0]))
    frames.append(_now_and_goal(last, f"the end: {verdict}"))
    write_film(out / FILM, [_fitted(frame, frames[0].shape) for frame in frames], frames_per_second=1)
    return verdict


def draw_decision(decision: Decision, caption: str) -> Picture:
    """Draw a decision in its view, now and in the goal, as uint8 (H, 2 W, 3) below a caption and headers.

    Segments are red. Lines join matched ones, with distance in pixels and similarity in per cent: green for an object
    in place, yellow for the one that is moved, which also has a cross, and grey for the others. All have a dark rim.
    """
    picture = np.hstack([_with_segments(decision.now), _with_segments(decision.goal)])
    width = decision.now.image.shape[1]
    for match in decision.matches:
        moved = match.now == decision.move.object
        colour = _IN_PLACE if match.stands else _MOVED if moved else _OTHER
        start = _pixel(decision.now.centroids_xy[match.now])
        _draw_line(picture, start, _pixel(decision.goal.centroids_xy[match.goal] + (width, 0)), colour)
    if decision.move.object is not None:
        at = _pixel(decision.now.centroids_xy[decision.move.object])
        for colour, thickness in ((BLACK, 4), (_MOVED, 2)):
            cv2.drawMarker(picture, at, colour, cv2.MARKER_CROSS, 18 + thickness, thickness, cv2.LINE_AA)
    for match, distance in zip(decision.matches, decision.distances_px, strict=True):
        if not match.stands:
            start = _pixel(decision.now.centroids_xy[match.now])
            write_words(picture, f"{distance:.0f} px, {100 * match.similarity:.0f} %", start, _LETTERS_PX)
    return _titled(picture, f"{caption}: {decision.move.purpose} ({decision.view})")


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
        for name, picture in zip(("start.png", "goal.png"), _first_view(step), strict=True):
            write_file(out / name, encode_picture(picture))
        return _now_and_goal(step, "the start")
    outcome = OUTCOMES.get(PickOutcome(step.info["pick_outcome"]), "no pick")
    print(f"{number}: {step.decision.move.purpose if step.decision else 'acts'}, {outcome}")
    caption = f"step {number}, {outcome}"
    picture = draw_decision(step.decision, caption) if step.decision else _now_and_goal(step, f"after {caption}")
    write_file(out / f"step_{number:02d}.png", encode_picture(picture))
    return picture


def _first_view(step: Step) -> tuple[Picture, Picture]:
    """What the first view shows, and its goal."""
    return next(iter(step.observation.values())), step.observation[goal_key(0)]


def _now_and_goal(step: Step, caption: str) -> Picture:
    return _titled(np.hstack(_first_view(step)), caption)


def _titled(picture: Picture, caption: str) -> Picture:
    """A picture of now and goal below a caption and a header each."""
    return with_caption(np.vstack([header_row(_NOW_AND_GOAL, picture.shape[1]), picture]), caption)


def _draw_line(picture: Picture, start: tuple[int, int], end: tuple[int, int], colour: Colour) -> None:
    for line, thickness in ((BLACK, 4), (colour, 2)):
        cv2.line(picture, start, end, line, thickness, cv2.LINE_AA)


def _fitted(frame: Picture, shape: tuple[int, ...]) -> Picture:
    """A frame with white borders where its view has another size than the film, of that shape."""
    if frame.shape == shape:
        return frame
    scale = min(shape[0] / frame.shape[0], shape[1] / frame.shape[1])
    height, width = round(frame.shape[0] * scale), round(frame.shape[1] * scale)
    fitted = np.full(shape, 255, np.uint8)
    fitted[:height, :width] = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
    return fitted


def _with_segments(segmented: SegmentedPicture) -> Picture:
    drawn = segmented.image
    for mask in segmented.masks:
        drawn = outlined(drawn, mask, _SEGMENT, 2)
    return drawn


def _pixel(xy: Floats) -> tuple[int, int]:
    return round(float(xy[0])), round(float(xy[1]))


def _verdict(last: Step, interactions: int, within_px: float) -> str:
    done = f"{'done' if last.info['is_success'] else 'not done'} after {counted(interactions, 'interaction')}"
    distances = [float(pixels) for pixels in last.info["goal_distance_px"] if pixels >= 0]
    if not distances:
        share = f"{last.info['fraction_done']:.0%} of what differed from the goal's picture"
        return f"{done}: {share} is as in the goal"
    each = ", ".join(f"{pixels:.1f}" for pixels in distances)
    return f"{done}: {each} px from the goal; accepted are {within_px:.3g} px"
