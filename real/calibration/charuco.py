"""The ChArUco board: a chessboard with markers in its white squares, so that every corner has a number.

Board frame: origin in the pattern's corner at the top left as printed, x to the right, y down the page, z into the
paper, metres. Inner corners are numbered row by row from the top left.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import cv2
import numpy as np

from tabletop_interaction.arrays import Bytes, Floats, Ints, Picture
from tabletop_interaction.errors import CalibrationRejected, InvalidConfiguration
from tabletop_interaction.ranges import Range, check_fields
from tabletop_interaction.real.calibration.rigid import rigid

DICTIONARIES = ("DICT_4X4_50", "DICT_4X4_100", "DICT_5X5_50", "DICT_5X5_100", "DICT_6X6_100")

_MIN_POSE_CORNERS = 6
_MIN_REACH_PX = 1.5
_REACH_USED = 0.85
_WINDOWS_PX = (2, 10)
_REFINED = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 100, 1e-4)

# OpenCV's planar solver fails at a rotation of exactly half a turn, which is how the camera opposite sees an aligned
# board. The pose is therefore also solved in a frame rotated by a quarter turn.
_TURNS = (np.eye(4), np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))


@dataclass(frozen=True, eq=False)
class Corners:
    """The inner corners of a board found in a picture.

    Attributes:
        ids: (N,) int64, numbers of the corners.
        pixels: (N, 2) float64, x and y.
    """

    ids: Ints
    pixels: Floats

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Board:
    """A printed board.

    Attributes:
        columns: Squares in a row.
        rows: Squares in a column.
        square_mm: Side of a square, measured on the print, millimetres.
        marker_mm: Side of a marker, millimetres.
        dictionary: OpenCV's name of the markers.
    """

    columns: Annotated[int, Range(3, 1000)] = 9
    rows: Annotated[int, Range(3, 1000)] = 6
    square_mm: Annotated[float, Range(0, 10_000, above=True, unit="mm")] = 28.0
    marker_mm: Annotated[float, Range(0, 10_000, above=True, unit="mm")] = 21.0
    dictionary: str = "DICT_4X4_50"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.marker_mm >= self.square_mm:
            raise InvalidConfiguration(
                f"markers of {self.marker_mm} mm in squares of {self.square_mm} mm came; markers must be smaller"
            )
        if self.dictionary not in DICTIONARIES:
            raise InvalidConfiguration(f"dictionary {self.dictionary!r} came; accepted are {', '.join(DICTIONARIES)}")
        markers = self.columns * self.rows // 2
        if (known := int(self.dictionary.rsplit("_", 1)[1])) < markers:
            raise InvalidConfiguration(f"the board needs {markers} markers; {self.dictionary} has {known}")

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the pattern, metres."""
        return self.columns * self.square_mm / 1000, self.rows * self.square_mm / 1000

    @property
    def corner_points(self) -> Floats:
        """(N, 3) float64: all inner corners in the board's frame, metres, by number."""
        rows, columns = np.mgrid[1 : self.rows, 1 : self.columns]
        flat = np.column_stack([columns.ravel(), rows.ravel(), np.zeros(rows.size)])
        return np.asarray(flat * self.square_mm / 1000, np.float64)

    @property
    def outermost_ids(self) -> dict[str, int]:
        """Numbers of the four inner corners nearest to the pattern's corners, by their place on the page."""
        across, down = self.columns - 1, self.rows - 1
        return {
            "top left": 0,
            "top right": across - 1,
            "bottom left": across * (down - 1),
            "bottom right": across * down - 1,
        }

    @cached_property
    def pattern(self) -> cv2.aruco.CharucoBoard:
        """OpenCV's board object, metres."""
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, self.dictionary))
        size = (self.columns, self.rows)
        return cv2.aruco.CharucoBoard(size, self.square_mm / 1000, self.marker_mm / 1000, dictionary)

    @cached_property
    def _detector(self) -> cv2.aruco.CharucoDetector:
        parameters = cv2.aruco.CharucoParameters()
        # A corner needs both neighbouring markers, so missed markers are searched again at their expected places.
        parameters.tryRefineMarkers = True
        return cv2.aruco.CharucoDetector(self.pattern, parameters)

    def picture(self, px_per_mm: float) -> Bytes:
        """The pattern without a margin, uint8 (H, W), black on white."""
        square_px = round(self.square_mm * px_per_mm)
        return np.asarray(self.pattern.generateImage((self.columns * square_px, self.rows * square_px)), np.uint8)

    def find(self, image: Picture) -> Corners:
        """The inner corners in a picture, uint8 (H, W, 3) RGB; none if the board is not seen."""
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        pixels, ids, _, _ = self._detector.detectBoard(grey)
        if ids is None:
            return Corners(np.empty(0, np.int64), np.empty((0, 2)))
        found = Corners(np.asarray(ids, np.int64).ravel(), np.asarray(pixels, np.float64).reshape(-1, 2))
        return self._refined(found, grey)

    def _refined(self, found: Corners, grey: Bytes) -> Corners:
        """Refine each corner to the intersection of the squares' edges, in a window that excludes the markers.

        OpenCV's detector uses one window size; in small squares the markers' edges shift its corners.
        """
        reach = self._reach_px(found)
        if reach < _MIN_REACH_PX:
            return found
        window = int(np.clip(_REACH_USED * reach, *_WINDOWS_PX))
        pixels = found.pixels.astype(np.float32).reshape(-1, 1, 2)
        cv2.cornerSubPix(grey, pixels, (window, window), (-1, -1), _REFINED)
        return Corners(found.ids, pixels.reshape(-1, 2).astype(np.float64))

    def _reach_px(self, found: Corners) -> float:
        """Half the side of the largest square window around a corner without a marker, pixels; 0 if unknown."""
        places = np.full(((self.rows - 1) * (self.columns - 1), 2), np.nan)
        places[found.ids] = found.pixels
        grid = places.reshape(self.rows - 1, self.columns - 1, 2)
        # A marker's corners lie on its square's diagonals.
        diagonals = np.concatenate([grid[1:, 1:] - grid[:-1, :-1], grid[1:, :-1] - grid[:-1, 1:]])
        reaches = np.abs(diagonals).max(axis=2)
        known = reaches[np.isfinite(reaches)]
        white = (1 - self.marker_mm / self.square_mm) / 2
        return white * float(known.min()) if len(known) else 0.0


def board_pose(board: Board, corners: Corners, intrinsics: Floats, distortion: Floats) -> tuple[Floats, float]:
    """`camera_from_board` (4, 4), metres, that fits the found corners, and the reprojection error (rms), pixels.

    Args:
        corners: at least six, not all in one line.
        intrinsics: (3, 3) float64 of the picture, pixels.
        distortion: (5,) float64.

    Raises:
        CalibrationRejected: too few corners.
    """
    if len(corners) < _MIN_POSE_CORNERS or len(np.unique(corners.ids // (board.columns - 1))) < 2:
        raise CalibrationRejected(
            f"{len(corners)} corners of the board were found; at least {_MIN_POSE_CORNERS} in two rows are needed; let "
            "the camera see more of the board, in even light"
        )
    poses = [_pose_turned(board.corner_points[corners.ids], turn, corners, intrinsics, distortion) for turn in _TURNS]
    return min(poses, key=lambda pose: pose[1] if np.isfinite(pose[1]) else np.inf)


def _pose_turned(
    points: Floats, turn: Floats, corners: Corners, intrinsics: Floats, distortion: Floats
) -> tuple[Floats, float]:
    """Pose and error for points (N, 3) of the board, solved after they are rotated by `turn` (4, 4)."""
    turned = points @ turn[:3, :3].T
    # The planar solver returns the better of the two tilts that fit a small board.
    _, rotation, translation = cv2.solvePnP(turned, corners.pixels, intrinsics, distortion, flags=cv2.SOLVEPNP_IPPE)
    rotation, translation = cv2.solvePnPRefineLM(turned, corners.pixels, intrinsics, distortion, rotation, translation)
    seen, _ = cv2.projectPoints(turned, rotation, translation, intrinsics, distortion)
    error = np.asarray(seen).reshape(-1, 2) - corners.pixels
    pose = rigid(cv2.Rodrigues(rotation)[0], translation) @ turn
    return pose, float(np.sqrt((error**2).sum(axis=1).mean()))
