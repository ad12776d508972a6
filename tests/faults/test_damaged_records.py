"""Damage to files of recorded interactions: the right rows, every whole row with a warning, or one clear line."""

from __future__ import annotations

import random
import shutil
import warnings
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from attack import Attack, Outcome, run_forked

from tabletop_interaction.envs.records.folder import FolderMeta
from tabletop_interaction.envs.records.reading import open_interactions
from tabletop_interaction.envs.records.row import batch_from_interaction, schema_of
from tabletop_interaction.errors import TabletopError

Change = Callable[[bytes], bytes]

ROWS = 3
_BLOCKS = (16, 512, 4096)
_PER_PROCESS, _TIMEOUT_S = 1000, 300.0


def flips(size: int) -> list[Change]:
    """One flipped bit in each byte."""
    chance = random.Random(0)
    return [_with_bit(place, 1 << chance.randrange(8)) for place in range(size)]


def _with_bit(place: int, bit: int) -> Change:
    return lambda content: content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]


def cuts(size: int) -> list[Change]:
    """Every shorter length."""
    return [lambda content, length=length: content[:length] for length in range(size)]  # type: ignore[misc]


def blocks(size: int) -> list[Change]:
    """Blocks of zeros, exchanged, copied and inserted blocks, and many wrong bytes."""
    chance = random.Random(0)
    found: list[Change] = []
    for place in range(0, size, 64):
        found += [_with_zeros(place, length) for length in _BLOCKS]
    for length in _BLOCKS * 60:
        start, end = sorted(chance.randrange(size - length) for _ in range(2))
        if end >= start + length:
            found += [_exchanged(start, end, length), _copied(start, end, length), _inserted(start, end, length)]
    return found + [_with_noise(seed) for seed in range(200)]


def _with_zeros(place: int, length: int) -> Change:
    return lambda content: content[:place] + bytes(len(content[place : place + length])) + content[place + length :]


def _exchanged(start: int, end: int, length: int) -> Change:
    def change(content: bytes) -> bytes:
        first, second = content[start : start + length], content[end : end + length]
        return content[:start] + second + content[start + length : end] + first + content[end + length :]

    return change


def _copied(start: int, end: int, length: int) -> Change:
    return lambda content: content[:end] + content[start : start + length] + content[end + length :]


def _inserted(start: int, end: int, length: int) -> Change:
    return lambda content: content[:end] + content[start : start + length] + content[end:]


def _with_noise(seed: int) -> Change:
    def change(content: bytes) -> bytes:
        chance, changed = random.Random(seed), bytearray(content)
        for _ in range(chance.randrange(2, 50)):
            changed[chance.randrange(len(changed))] ^= chance.randrange(1, 256)
        return bytes(changed)

    return change


def plain(row: Any) -> tuple[Any, ...]:
    """All values of a row; pictures, depths and instance maps as PNG."""
    pictures = [each.encoded_by_key for each in (row.before, row.held, row.after)]
    values = {name: value for name, value in vars(row).items() if name not in ("before", "held", "after", "views")}
    return (*pictures, [view.to_dict() for view in row.views], *(str(value) for value in values.values()))


def read(folder: Path) -> list[tuple[Any, ...]]:
    return [plain(row) for row in open_interactions(folder)]


@pytest.fixture
def damage(tmp_path: Path, samples: Any) -> Callable[..., None]:
    """Tries changes of a file in forked processes: a crash ends only one of those and is counted."""

    def run(one: Attack, path: Path, changes: Sequence[Change], act: Callable[[], Outcome], short: int = 40) -> None:
        whole, log = path.read_bytes(), tmp_path / "outcomes"
        chosen = samples(changes, short=short)
        done = 0
        while done < len(chosen):
            log.write_text("")
            batch = chosen[done : done + _PER_PROCESS]
            ended = run_forked(lambda batch=batch: _try_all(path, whole, batch, act, log), _TIMEOUT_S)
            outcomes = log.read_text().splitlines()
            for line in outcomes:
                one.note(Outcome[line.partition(" ")[0]], f"{path.name}, change {done}", line)
                done += 1
            if ended.code != 0:
                one.note(
                    Outcome.HANG if ended.timed_out else Outcome.TRACEBACK, f"{path.name}, change {done}", ended.err
                )
                done += 1
        path.write_bytes(whole)

    return run


def _try_all(path: Path, whole: bytes, changes: Sequence[Change], act: Callable[[], Outcome], log: Path) -> int:
    with open(log, "w", buffering=1) as lines:
        for change in changes:
            path.write_bytes(change(whole))
            try:
                outcome, detail = act(), ""
            except TabletopError as error:
                outcome, detail = (Outcome.TRACEBACK if "\n" in str(error) else Outcome.CLEAR), ""
            except Exception as error:
                outcome, detail = Outcome.TRACEBACK, repr(error)
            lines.write(f"{outcome.name} {detail}\n")
    return 0


def reading(folder: Path, expected: list[tuple[Any, ...]], *, may_end_early: bool = False) -> Outcome:
    """Read a folder; rows that are lost must be announced by one warning."""
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        found = read(folder)
    if found == expected:
        return Outcome.RIGHT
    if may_end_early and not raised:
        return Outcome.RIGHT if found == expected[: len(found)] else Outcome.WRONG
    is_announced = len(raised) == 1 and "rows lost" in str(raised[0].message)
    return Outcome.CLEAR if is_announced and all(row in expected for row in found) else Outcome.WRONG


@pytest.fixture(params=[(), ("depth", "instances")], ids=["pictures", "maps"])
def extras(request: pytest.FixtureRequest) -> Any:
    """What the rows have besides pictures."""
    return request.param


@pytest.fixture
def folder(sample: Any, tmp_path: Path, extras: Any) -> Path:
    sample.record(tmp_path / "rows", ROWS, extras=extras)
    return tmp_path / "rows"


@pytest.fixture
def shard(folder: Path) -> Path:
    return folder / "data" / "part-w0-00000.parquet"


@pytest.fixture
def journal(sample: Any, tmp_path: Path, extras: Any) -> Path:
    """The journal that a killed writer leaves."""
    out = sample.writer(tmp_path / "open", extras=extras)
    for number in range(ROWS):
        out.append(sample.row_for(number, extras))
    (path,) = (tmp_path / "open").glob(".journal-*")
    del out
    return path


@pytest.fixture
def unframed_journal(sample: Any, journal: Path) -> Path:
    """The journal that a killed writer of an earlier version leaves."""
    rows, schema = list(open_interactions(journal.parent)), schema_of(FolderMeta("train", sample.VIEWS))
    messages = [schema, *(batch_from_interaction(row, schema) for row in rows)]
    path = journal.with_suffix(".arrows")
    path.write_bytes(b"".join(message.serialize().to_pybytes() for message in messages))
    journal.unlink()
    return path


@pytest.mark.parametrize("changes", [flips, cuts, blocks])
def test_damage_to_a_shard_is_found(attack: Any, damage: Any, folder: Path, shard: Path, changes: Any) -> None:
    expected = read(folder)
    with attack(f"records, shard: {changes.__name__}") as one:
        damage(one, shard, changes(shard.stat().st_size), lambda: reading(folder, expected))


@pytest.mark.parametrize("changes", [flips, cuts, blocks])
def test_damage_to_a_journal_costs_only_rows_that_are_counted(
    attack: Any, damage: Any, journal: Path, changes: Any
) -> None:
    expected = read(journal.parent)
    with attack(f"records, journal: {changes.__name__}") as one:
        # A journal that is cut off looks like one whose writer was killed.
        act = lambda: reading(journal.parent, expected, may_end_early=changes is cuts)  # noqa: E731
        damage(one, journal, changes(journal.stat().st_size), act)


@pytest.mark.parametrize("extras", [()])
@pytest.mark.parametrize("changes", [flips, cuts, blocks])
def test_damage_to_a_journal_of_an_earlier_version_ends_no_process(
    attack: Any, damage: Any, unframed_journal: Path, changes: Any
) -> None:
    """Its values have no checksums, so rows are judged after cuts only; the others count crashes and hangs."""
    expected = read(unframed_journal.parent)

    def act() -> Outcome:
        outcome = reading(unframed_journal.parent, expected, may_end_early=True)
        return outcome if changes is cuts or outcome is not Outcome.WRONG else Outcome.RIGHT

    judged = "" if changes is cuts else " (crashes)"
    with attack(f"records, journal of an earlier version: {changes.__name__}{judged}") as one:
        damage(one, unframed_journal, changes(unframed_journal.stat().st_size), act)


def sealing(sample: Any, folder: Path, extras: Any, expected: list[tuple[Any, ...]]) -> Callable[[], Outcome]:
    """Opens a copy of a folder for recording: whole rows are sealed, and a damaged journal is kept."""

    def act() -> Outcome:
        copy = folder.with_name("copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        with warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("always")
            before = read(copy)
            sample.writer(copy, extras=extras).close()
            after = read(copy)
        kept = list(copy.glob(".damaged-journal-*"))
        if after != before or any(row not in expected for row in after) or list(copy.glob(".journal-*")):
            return Outcome.WRONG
        if len(after) == len(expected):
            return Outcome.RIGHT
        return Outcome.CLEAR if len(kept) == 1 and len(raised) == 2 else Outcome.WRONG

    return act


@pytest.mark.parametrize("changes", [flips, blocks])
def test_the_next_writer_seals_whole_rows_and_keeps_a_damaged_journal(
    attack: Any, damage: Any, sample: Any, journal: Path, extras: Any, changes: Any
) -> None:
    act = sealing(sample, journal.parent, extras, read(journal.parent))
    chosen = changes(journal.stat().st_size)
    with attack(f"records, sealing: {changes.__name__}") as one:
        damage(one, journal, list(islice(chosen, 0, None, 1 + len(chosen) // 600)), act, short=10)


@pytest.mark.parametrize("changes", [flips, cuts])
def test_damage_to_meta_is_found(attack: Any, damage: Any, folder: Path, changes: Any) -> None:
    expected, meta = read(folder), folder / "meta.json"
    with attack(f"records, meta.json: {changes.__name__}") as one:
        damage(one, meta, changes(meta.stat().st_size), lambda: reading(folder, expected))


@pytest.mark.parametrize("extras", [()])
@pytest.mark.parametrize("changes", [flips, cuts])
def test_a_damaged_card_stops_neither_readers_nor_writers(
    attack: Any, damage: Any, sample: Any, folder: Path, changes: Any
) -> None:
    expected, card = read(folder), folder / "README.md"

    def act() -> Outcome:
        sample.writer(folder).close()
        entry = "path: data/*.parquet\n---\n"
        return reading(folder, expected) if entry in card.read_text() else Outcome.WRONG

    with attack(f"records, README.md: {changes.__name__}") as one:
        damage(one, card, changes(card.stat().st_size), act, short=20)
