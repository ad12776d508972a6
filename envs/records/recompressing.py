"""Copy records with their pictures in another format, for example to measure what a lossy format costs."""

from dataclasses import replace
from pathlib import Path

from tabletop_interaction.envs.records.folder import read_meta
from tabletop_interaction.envs.records.journal import open_writer
from tabletop_interaction.envs.records.picture_format import PICTURES_IN_META, PictureFormat
from tabletop_interaction.envs.records.reading import count_interactions, open_interactions
from tabletop_interaction.envs.records.row import Interaction
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.files import AnyPath
from tabletop_interaction.progress import track


def recompress(folder: AnyPath, out: AnyPath, picture_format: PictureFormat) -> None:
    """Copy interactions in order, with pictures encoded again; depths and instance maps stay as they are.

    Rows get ids of their own, so labels are made anew. The same call resumes after a kill. One process at a time
    copies into a folder, and nothing else may record there.

    Args:
        folder: of the interactions; it stays as it is.
        out: new folder, or one of an interrupted call.
        picture_format: of the copies.

    Raises:
        InvalidConfiguration: both are the same folder.
        UnreadableRecords, ForeignFolder: as `open_interactions` and `open_writer`.
        DiskFull: no space is left; the copied rows stay.
    """
    if Path(folder).resolve() == Path(out).resolve():
        raise InvalidConfiguration(f"{folder} came as source and as copy; name a new folder for the copy")
    meta, table = read_meta(Path(folder)), open_interactions(folder)
    metadata = {**meta.metadata, PICTURES_IN_META: picture_format.plain()}
    with open_writer(
        out, split=meta.split, views=meta.views, metadata=metadata, primitive=meta.primitive, extras=meta.extras
    ) as writer:
        for number in track(range(count_interactions(out), len(table)), "interactions"):
            writer.append(_recompressed(table[number], picture_format))


def _recompressed(row: Interaction, picture_format: PictureFormat) -> Interaction:
    after = row.after.recompressed(picture_format)
    held = after if row.held == row.after else row.held.recompressed(picture_format)
    return replace(row, before=row.before.recompressed(picture_format), held=held, after=after)
