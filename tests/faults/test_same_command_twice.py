"""A command that is started twice on one folder at once: one is refused or waits, and the result is as after one."""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from attack import Attack, Ended, Outcome, outcome_of, run_command
from small_commands import COMMANDS, Workplace, contents, differences

from tabletop_interaction.envs import read_interactions

pytestmark = pytest.mark.usefixtures("small_sets")

_START_S = 0.3
_QUICK = ("collect", "make-sets", "calibrate start")
_ENDINGS = ("wait for it, or give another folder", "is there already; edit it, or name another file with --lab")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", list(COMMANDS) if metafunc.config.getoption("--all-faults") else _QUICK)


def test_the_same_command_twice_leaves_what_one_leaves(
    name: str, workplace: Workplace, attack: Callable[[str], Attack], samples: Callable[..., Sequence[int]]
) -> None:
    workplace.begin(name)
    once = workplace.run(name)
    assert once.code == 0, once.err
    wanted = contents(workplace.folder)
    with attack(f"twice: {name}") as one:
        for number in samples(range(3), short=1):
            workplace.begin(name)
            at = time.time() + _START_S
            ended = _both(*[lambda: workplace.run(name, lambda: _sleep_until(at))] * 2)  # noqa: B023
            wrong = differences(contents(workplace.folder), wanted) + workplace.left_behind()
            _note(one, f"{name}, round {number}", ended, wrong)


def test_two_collections_with_different_seeds_do_not_share_a_folder(
    attack: Callable[[str], Attack], tmp_path: Path
) -> None:
    at = time.time() + _START_S
    with attack("twice: collect with different seeds") as one:
        ended = _both(*(lambda seed=seed: _collect(tmp_path / "out", seed, at) for seed in (1, 2)))
        rows = [(row.seed, row.episode, row.step) for row in read_interactions(tmp_path / "out")]
        _note(one, "collect", ended, [f"rows {rows}"] if len(rows) != 2 or len(set(rows)) != 2 else [])


def test_nothing_is_collected_into_the_records_of_a_learning_run(
    attack: Callable[[str], Attack], tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "learn.json").write_text("{}")
    out = tmp_path / "run" / "records"
    with attack("collect into a learning run") as one:
        one.command("collect", "--interactions", "1", "--out", str(out), right=lambda _: False)
    assert not out.exists()


def _collect(out: Path, seed: int, at: float) -> Ended:
    arguments = ["collect", "--interactions", "2", "--seed", str(seed), "--out", str(out)]
    return run_command(arguments, before=lambda: _sleep_until(at))


def _sleep_until(at: float) -> None:
    time.sleep(max(0.0, at - time.time()))


def _both(first: Callable[[], Ended], second: Callable[[], Ended]) -> tuple[Ended, Ended]:
    """Run two commands beside each other; this process has no threads, which a fork would lose."""
    with TemporaryFile("w+") as report:
        if (child := os.fork()) == 0:
            try:
                json.dump(asdict(first()), report)
                report.flush()
            finally:
                sys.stdout.flush()
                os._exit(0)
        ended = second()
        os.waitpid(child, 0)
        report.seek(0)
        return Ended(**json.load(report)), ended


def _note(one: Attack, what: str, ended: tuple[Ended, Ended], wrong: Sequence[str]) -> None:
    """Count both: at most one is refused, for this reason, and the folder is as after one command."""
    refused = [each for each in ended if each.code]
    for each in ended:
        outcome = outcome_of(each, lambda _: not wrong)
        if outcome == Outcome.CLEAR and (len(refused) == 2 or not each.err.rstrip().endswith(_ENDINGS)):
            outcome = Outcome.WRONG
        one.note(outcome, what, f"exit {each.code}: {each.err or each.out}\n" + "\n".join(wrong))
