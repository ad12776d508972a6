"""`tabletop show`: draw recorded interactions: contact sheets and a film."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from tabletop_interaction.cli.arguments import UNSET, Folder, NewFolder
from tabletop_interaction.cli.refused import refuse_ignored
from tabletop_interaction.envs.observations import extra_key
from tabletop_interaction.envs.records.folder import read_meta
from tabletop_interaction.envs.records.reading import open_interactions
from tabletop_interaction.envs.records.row import MOMENTS
from tabletop_interaction.errors import InvalidConfiguration, MissingPackage
from tabletop_interaction.files import claimed_folder
from tabletop_interaction.ranges import Range


@dataclass(frozen=True)
class Show:
    """Write contact sheets (before, held, after, self-made masks) and an MP4 of recorded interactions or pushes.

    Depths and true masks are shown where they are recorded.

    Example: tabletop show runs/first --out runs/first-pictures
    """

    folder: Annotated[Folder, tyro.conf.Positional]
    """Folder of `tabletop collect`, or the records of `tabletop learn`."""
    out: Annotated[NewFolder | None, UNSET] = None
    """Folder of the pictures; by default FOLDER-pictures."""
    view: Annotated[str | None, UNSET] = None
    """Name of the view; by default the first one, view_0."""
    rows: Annotated[int, Range(1, 1000)] = 8
    """Interactions on a sheet."""
    sheets: Annotated[int, Range(1, 10_000)] = 4
    """Most sheets; their interactions are spread over the records."""
    grasped_only: bool = False
    """Only interactions in which something was held; not for pushes."""

    def run(self) -> None:
        """Write the pictures and print where they are."""
        from tabletop_interaction.reports.films import write_interaction_film
        from tabletop_interaction.reports.sheets import write_interaction_sheets

        meta = read_meta(self.folder)
        primitive, view = meta.primitive, self.view or meta.views[0]
        if primitive == "push":
            refuse_ignored(self, "with records of pushes", "grasped_only")
        pictures = [f"{view}_{moment}" for moment in MOMENTS[primitive]]
        extras = [f"{extra_key(view, extra)}_before" for extra in meta.extras]
        table = open_interactions(self.folder, [*pictures, *extras])
        chosen = self._chosen()
        out = self.out or self.folder.with_name(self.folder.name + "-pictures")
        with claimed_folder(out, "show"):
            sheets = write_interaction_sheets(table, chosen, view, out, rows=self.rows, sheets=self.sheets)
            print(*sheets, sep="\n")
            try:
                print(write_interaction_film(table, chosen, view, out / "film.mp4"))
            except MissingPackage as missing:
                print(f"no film: {missing}")

    def _chosen(self) -> list[int]:
        """Numbers of the rows to show, found without reading a picture."""
        rows = enumerate(open_interactions(self.folder, columns=()))
        numbers = [number for number, row in rows if row.grasped or not self.grasped_only]
        if not numbers:
            what = "interaction in which something was held" if self.grasped_only else "interaction"
            raise InvalidConfiguration(f"{self.folder} has no {what}; collect more with tabletop collect")
        return numbers
