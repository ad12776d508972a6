"""Progress is live at a terminal with whole times at 80 columns, and a line at regular intervals elsewhere."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from terminals import lines_of, run_at_terminal

from tabletop_interaction import progress
from tabletop_interaction.progress import ProgressDisplay, track

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "tabletop_interaction",
    "cli",
    "benchmarks",
    "reports",
    "agents",
    "segmentation",
    "envs",
    "simulation",
    "real",
)
_LONG = """
import time
from tabletop_interaction.progress import ProgressDisplay
with ProgressDisplay() as display:
    for number in range(4):
        display.show("interactions", 100 + number, 10_000, "moved 76%  grasped 34%")
        display.show("training steps", 5 * number, 150_000, "masks 12345  mask IoU 0.70  score loss 0.123 " + 40 * "x")
        time.sleep(0.3)
    print("a line that stays")
"""
_TIMES = re.compile(r"\d:\d\d:\d\d +(\d+|-):(\d\d|--):(\d\d|--) left$")


@pytest.mark.parametrize("columns", [72, 80, 120])
def test_elapsed_and_remaining_time_are_whole_at_a_narrow_terminal(columns: int) -> None:
    status, output = run_at_terminal([sys.executable, "-c", _LONG], columns)
    shown = lines_of(output)
    bars = [line for line in shown if line.startswith(("interactions ", "training steps "))]
    assert status == 0
    assert len(bars) > 2
    assert [line for line in bars if not _TIMES.search(line) or len(line) > columns] == []
    assert any(re.search(r"\d\.\d/s", line) for line in bars)
    assert "  interactions: moved 76%  grasped 34%" in shown
    assert "a line that stays" in shown


def test_colours_are_left_out_where_they_are_refused() -> None:
    assert "\x1b[3" in run_at_terminal([sys.executable, "-c", _LONG])[1]
    assert "\x1b[3" not in run_at_terminal([sys.executable, "-c", _LONG], NO_COLOR="1")[1]


def test_a_terminal_without_control_codes_gets_none() -> None:
    assert "\x1b" not in run_at_terminal([sys.executable, "-c", _LONG], TERM="dumb")[1]


def test_the_display_writes_to_standard_error_alone() -> None:
    often = f"from tabletop_interaction import progress\nprogress.LINE_INTERVAL_S = 0.1\n{_LONG}"
    ended = subprocess.run([sys.executable, "-c", often], capture_output=True, text=True, check=True)
    assert ended.stdout == "a line that stays\n"
    assert "\x1b" not in ended.stderr
    assert "interactions 103/10000, " in ended.stderr


def test_output_that_is_piped_does_not_go_to_the_terminal_of_the_display() -> None:
    piped = ["sh", "-c", 'exec "$0" -c "$1" | cat >/dev/null', sys.executable, _LONG]
    _, output = run_at_terminal(piped)
    assert "interactions" in output
    assert "a line that stays" not in output


def test_without_a_terminal_a_line_is_printed_at_intervals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_INTERVAL_S", 0.2)
    for _ in track(range(6), "scenes"):
        time.sleep(0.1)
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) >= 2
    assert re.fullmatch(r"scenes [0-5]/6, (\d+\.\d/(s|min), )?elapsed 0:00:\d\d, remaining \S+", printed[0])
    assert re.fullmatch(r"scenes 6/6, \d+\.\d/(s|min), elapsed 0:00:\d\d", printed[-1])


def test_a_step_that_takes_longer_than_the_interval_is_seen_to_live(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_INTERVAL_S", 0.05)
    with ProgressDisplay() as display:
        display.show("training steps", 0, 10)
        printed: list[str] = []
        while len(printed) < 2:
            time.sleep(0.05)
            printed += capsys.readouterr().err.splitlines()
    line = r"training steps 0/10, elapsed 0:00:\d\d, remaining -:--:--"
    assert [each for each in printed if not re.fullmatch(line, each)] == []


def test_what_is_short_prints_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track("abc", "letters")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_the_rate_of_a_resumed_command_does_not_count_what_was_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_INTERVAL_S", 0.3)
    with ProgressDisplay() as display:
        for number in range(5):
            display.show("interactions", 1000 + number, 2000)
            time.sleep(0.1)
    rate, unit = re.search(r"(\d+\.\d)/(s|min)", capsys.readouterr().err).groups()  # type: ignore[union-attr]
    assert float(rate) < {"s": 20, "min": 1200}[unit]


def test_rare_items_are_counted_by_the_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_INTERVAL_S", 1.3)
    with ProgressDisplay() as display:
        display.show("scenes", 0, 4)
        time.sleep(1.1)
        display.show("scenes", 1, 4)
        time.sleep(0.4)
    assert re.search(r"scenes 1/4, \d+\.\d/min, elapsed 0:00:\d\d, remaining 0:\d\d:\d\d", capsys.readouterr().err)


def test_a_display_is_hidden_while_a_person_is_asked() -> None:
    asking = """
from tabletop_interaction.progress import ProgressDisplay
with ProgressDisplay() as display:
    display.show("interactions", 1, 2)
    with display.hidden():
        print("is the table free?", flush=True)
    display.show("interactions", 2, 2)
"""
    _, output = run_at_terminal([sys.executable, "-c", asking])
    before, _, after = output.partition("is the table free?")
    assert "1/2" in before
    assert "2/2" in after


def test_all_progress_is_shown_by_one_module() -> None:
    sources = {path: path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    users = [path.name for path, source in sources.items() if "rich.progress" in source]
    assert users == ["progress.py"]


def test_every_measuring_module_shows_progress() -> None:
    modules = [path for name in ("accuracy", "speed") for path in (ROOT / "benchmarks" / name).glob("*.py")]
    run = {path: path.read_text() for path in modules if "__main__" in path.read_text()}
    showing = {path.stem for path, source in run.items() if "tabletop_interaction.progress import" in source}
    assert len(run) > 10
    # Their scenes are those of grasp_success and label_quality, which show it.
    assert {path.stem for path in run} - showing == {"placing", "picture_formats"}
