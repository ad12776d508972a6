"""Copy records with their pictures in another format, for example to measure what a lossy format costs."""

from dataclasses import replace
from pathlib import Path

from tabletop_interaction.envs.records.folder import is_record_folder, read_meta
from tabletop_interaction.envs.records.journal import open_writer
from tabletop_interaction.envs.records.picture_format import PICTURES_IN_META, PictureFormat, first_format
from tabletop_interaction.envs.records.reading import InteractionTable, count_interactions, open_interactions
from tabletop_interaction.envs.records.row import Interaction
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration
from tabletop_interaction.files import AnyPath
from tabletop_interaction.progress import track
from tabletop_interaction.seals import new_run_id

# One name keeps the rows in order after many interruptions, and lets one process copy at a time.
_WRITER = "copy"


def recompress(folder: AnyPath, out: AnyPath, picture_format: PictureFormat) -> None:
    """Copy interactions in order, with pictures encoded again; depths and instance maps stay as they are.

    Rows get ids of their own, and the copy a run id of its own, so labels are made anew. The same call resumes after a
    kill. Nothing else may record in the copy meanwhile.

    Args:
        folder: of the interactions; it stays as it is.
        out: new folder, or one of an interrupted call.
        picture_format: of the copies.

    Raises:
        InvalidConfiguration: both are the same folder.
        ForeignFolder: `out` holds something else, copies of other interactions, or copies in another format; nothing
            was written.
        FolderInUse: another process copies into `out`.
        UnreadableRecords: as `open_interactions`.
        DiskFull: no space is left; the copied rows stay.
    """
    if Path(folder).resolve() == Path(out).resolve():
        raise InvalidConfiguration(f"{folder} came as source and as copy; name a new folder for the copy")
    meta, table = read_meta(Path(folder)), open_interactions(folder)
    if is_record_folder(Path(out)):
        _check_copies(Path(out), table, picture_format)
    metadata = {**meta.metadata, "run": new_run_id(), PICTURES_IN_META: picture_format.plain()}
    with open_writer(
        out,
        split=meta.split,
        views=meta.views,
        metadata=metadata,
        writer=_WRITER,
        primitive=meta.primitive,
        extras=meta.extras,
    ) as writer:
        for number in track(range(count_interactions(out), len(table)), "interactions"):
            writer.append(_recompressed(table[number], picture_format))


def _check_copies(out: Path, table: InteractionTable, picture_format: PictureFormat) -> None:
    """Check that a folder holds copies of the table's first rows in this format. Raises ForeignFolder."""
    there, asked = first_format(read_meta(out).metadata), picture_format.plain()
    if there != asked:
        raise ForeignFolder(f"{out} holds pictures with {there}, not {asked}; name a new folder for the copy")
    copies = open_interactions(out, columns=[])
    last = len(copies) - 1
    # No two rows were recorded at the same time.
    if last >= len(table) or (last >= 0 and copies[last].time != table[last].time):
        raise ForeignFolder(f"{out} holds other interactions; name a new folder for the copy")


def _recompressed(row: Interaction, picture_format: PictureFormat) -> Interaction:
    after = row.after.recompressed(picture_format)
    held = after if row.held == row.after else row.held.recompressed(picture_format)
    return replace(row, before=row.before.recompressed(picture_format), held=held, after=after)
