"""Every error that the package raises on purpose: one base, a name per cause.

A message says what came, what is accepted and what to do.
"""


class TabletopError(Exception):
    """Base of all errors of this package.

    Attributes:
        recoverable: whether the backend can go on with the next call as if this one had not been made.
    """

    recoverable: bool = True


class InvalidAction(TabletopError, ValueError):
    """An action that is no point of the action space (wrong shape, NaN, outside); nothing was moved."""


class InvalidConfiguration(TabletopError, ValueError):
    """An unknown backend, split, view or a setting outside its range; nothing was opened."""


class UnreachableTarget(TabletopError):
    """The gripper cannot be brought to the target; nothing was moved."""


class SelfCollision(UnreachableTarget):
    """Planned joint commands bring the arm too near to itself, its head or its pedestal; nothing was moved.

    Args:
        message: says all of the following.
        links: the two that would come too near.
        index: which of the planned commands, from 0.
        distance: metres between the two; negative where they would overlap.
    """

    def __init__(self, message: str, *, links: tuple[str, str], index: int, distance: float) -> None:
        super().__init__(message)
        self.links = links
        self.index = index
        self.distance = distance


class AlreadyHolding(TabletopError, RuntimeError):
    """A pick was asked for while something is held; place it first."""


class NotReset(TabletopError, RuntimeError):
    """A backend was asked to look or to move before its first reset."""


class BlankPicture(TabletopError, RuntimeError):
    """A camera or renderer gave a picture without content."""

    recoverable = False


class RobotFault(TabletopError, RuntimeError):
    """The arm stopped by itself or was stopped; it holds its position.

    Args:
        message: what happened and what the operator has to do.
        recoverable: whether the arm accepts commands again without the operator.
    """

    def __init__(self, message: str, *, recoverable: bool = False) -> None:
        super().__init__(message)
        self.recoverable = recoverable


class RobotUnavailable(TabletopError, RuntimeError):
    """The robot, its software or one of its parts is not there or is another one; nothing was moved."""

    recoverable = False


class MasterUnreachable(RobotUnavailable):
    """No ROS master answers where ROS_MASTER_URI says."""


class CameraFault(TabletopError, RuntimeError):
    """A camera that cannot be opened, gives no new picture in time, or gives another one than it shall.

    Args:
        message: which camera, what happened and what the operator has to do.
        recoverable: whether the next picture may come without the operator.
    """

    def __init__(self, message: str, *, recoverable: bool = False) -> None:
        super().__init__(message)
        self.recoverable = recoverable


class CalibrationRejected(TabletopError, ValueError):
    """Pictures or points that do not fix a calibration, or a result above its error bound; nothing was written."""


class BackendContractError(TabletopError, AssertionError):
    """A backend breaks a rule of the Backend protocol; raised by `check_backend`."""


class ForeignFolder(TabletopError, ValueError):
    """A folder that holds something else than what was about to be written to or read from it."""


class UnreadableRecords(TabletopError, ValueError):
    """Records that are missing, damaged or of a schema version that this reader does not know."""


class FolderInUse(TabletopError, RuntimeError):
    """Another process works in the same folder; nothing was written."""


class WriterInUse(FolderInUse):
    """Another living writer records under the same name in the same folder; nothing was written."""


class DiskFull(TabletopError, OSError):
    """No space is left; what was written before is whole and stays readable."""


class WorkersDied(TabletopError, RuntimeError):
    """Worker processes die as fast as they are replaced; their finished results are not lost."""


class CollectorsDied(WorkersDied):
    """Collecting processes die as fast as they are replaced; what they finished is on disk."""
