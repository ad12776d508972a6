"""All errors that the package raises for what a user or a device causes: one base, and a class per cause.

A message says what happened, which values are accepted and what to do.
"""

from typing import Any


class TabletopError(Exception):
    """Base of all errors of this package.

    Attributes:
        recoverable: whether the backend can continue with the next call as if this one had not been made.
        setting: name of the setting that was refused, with which the message begins; empty for other errors.
    """

    recoverable: bool = True
    setting: str = ""


# Environments and backends.


class InvalidAction(TabletopError, ValueError):
    """An action outside the action space (wrong shape, NaN, out of range); nothing was moved."""


class InvalidConfiguration(TabletopError, ValueError):
    """An unknown backend, split or view, or a setting outside its range; nothing was opened."""


class MissingPackage(TabletopError, ModuleNotFoundError):
    """A package that an optional part of this one needs is missing; nothing was opened."""


class UnreachableTarget(TabletopError):
    """The gripper cannot reach the target; nothing was moved."""


class SelfCollision(UnreachableTarget):
    """Planned joint commands bring the arm too near to itself, its head or its pedestal; nothing was moved.

    Attributes:
        links: the two links that come too near.
        index: number of the planned command, from 0.
        distance: metres between the two; negative where they would overlap.
    """

    # Defaults, because unpickling makes an error from its message alone and then sets its attributes.
    def __init__(
        self, message: str, *, links: tuple[str, str] = ("", ""), index: int = 0, distance: float = 0.0
    ) -> None:
        super().__init__(message)
        self.links, self.index, self.distance = links, index, distance


class ObstacleCollision(UnreachableTarget):
    """Planned joint commands bring the arm, or what it holds, too near to an obstacle or the table; nothing was moved.

    Attributes:
        obstacle: the obstacle's name in the lab file, or "table".
        link: the part of the arm that comes too near.
        index: number of the planned command, from 0.
        distance: metres between the two on the way to or from that command; negative where they would overlap.
    """

    def __init__(
        self, message: str, *, obstacle: str = "", link: str = "", index: int = 0, distance: float = 0.0
    ) -> None:
        super().__init__(message)
        self.obstacle, self.link, self.index, self.distance = obstacle, link, index, distance


class AlreadyHolding(TabletopError, RuntimeError):
    """A pick while something is held; place it first."""


class NotReset(TabletopError, RuntimeError):
    """A call of a backend before its first reset."""


class BlankPicture(TabletopError, RuntimeError):
    """A camera or renderer returned a picture without content."""

    recoverable = False


class BackendContractError(TabletopError, AssertionError):
    """A backend breaks a rule of the Backend protocol; raised by `check_backend`."""


# The robot and its laboratory.


class DeviceFault(TabletopError, RuntimeError):
    """Base of faults of a device.

    Args:
        message: what happened and what the operator has to do.
        recoverable: whether the device can continue without the operator.
    """

    def __init__(self, message: str, *, recoverable: bool = False) -> None:
        super().__init__(message)
        self.recoverable = recoverable


class RobotFault(DeviceFault):
    """The arm stopped by itself or was stopped; it holds its position."""


class CameraFault(DeviceFault):
    """A camera cannot be opened, returns no new picture in time, or returns pictures of another kind."""


class RobotUnavailable(TabletopError, RuntimeError):
    """The robot, its software or one of its parts is missing or of another type; nothing was moved."""

    recoverable = False


class MasterUnreachable(RobotUnavailable):
    """No ROS master answers at ROS_MASTER_URI."""


class RobotInUse(RobotUnavailable):
    """Another program commands the arm, or may command it; nothing was moved."""


class GripperNotReady(RobotUnavailable):
    """The gripper reports an error or is not calibrated; it was left as it is: calibrating opens its fingers."""


class PreflightFailed(RobotUnavailable):
    """Checks before the first move failed; nothing was moved.

    Attributes:
        findings: what every check found, `tabletop_interaction.findings.Finding`.
    """

    findings: tuple[Any, ...] = ()


class NotConfirmed(TabletopError, RuntimeError):
    """The operator did not confirm a motion; nothing was moved."""


class NoAnswer(TabletopError, RuntimeError):
    """A checked device did not answer in time; nothing was moved."""


class ChecksFailed(TabletopError, RuntimeError):
    """Checks of the laboratory or the installation failed; the findings say which, and what to do."""


class CalibrationRejected(TabletopError, ValueError):
    """Pictures or points do not determine a calibration, or its error is too large; nothing was written."""


# Files, folders and processes.


class DiskFull(TabletopError, OSError):
    """No space is left; what was written before is whole and stays readable."""

    # What follows could not be written either: nothing is to be moved for it.
    recoverable = False


class UnwritableFile(TabletopError, OSError):
    """A file cannot be written, for another reason than a full disk; it is as before."""

    recoverable = False


class ForeignFolder(TabletopError, ValueError):
    """A folder holds something else than what was to be written to it or read from it."""


class FolderInUse(TabletopError, RuntimeError):
    """Another process works in the same folder, or records there under the same name; nothing was written."""


class UnreadableRecords(TabletopError, ValueError):
    """Records are missing, damaged or of an unknown schema version."""


class WorkersDied(TabletopError, RuntimeError):
    """Worker processes die as fast as they are replaced; their finished results are not lost."""


# Pictures, labels and networks.


class InvalidPicture(TabletopError, ValueError):
    """A picture is missing or unreadable, or is to be scaled to an impossible size."""


class InvalidPicturePair(TabletopError, ValueError):
    """Two pictures and a click whose difference cannot be computed."""


class InvalidClip(TabletopError, ValueError):
    """Frames in which motion cannot be segmented."""


class InvalidPictureStore(TabletopError, ValueError):
    """A folder holds something else than decoded pictures, or its pictures are damaged."""


class InvalidLabelSet(TabletopError, ValueError):
    """A label set cannot be evaluated: not COCO JSON, contradictory, incomplete or empty."""


class InvalidDetections(TabletopError, ValueError):
    """Detections do not belong to the label set, or are not masks with finite scores."""


class CheckpointError(TabletopError, ValueError):
    """A checkpoint is missing, damaged, of another schema version, or does not fit its network."""


class DamagedState(TabletopError, ValueError):
    """The state of a training cannot be read."""


class TrainingError(TabletopError, ValueError):
    """A training cannot start or resume as requested."""


class NoExamples(TabletopError, ValueError):
    """No example shows an object, so nothing can be learned."""


class FeaturesUnavailable(TabletopError, RuntimeError):
    """The weights of a feature network are not on this machine and cannot be fetched."""


class NoGoal(TabletopError, ValueError):
    """An observation has no goal picture with content."""


class UnknownPicture(TabletopError, LookupError):
    """Ground truth is requested for a picture that the simulation did not take since its last new scene."""
