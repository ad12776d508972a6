"""The agreement of the judges, on one scene."""

from tabletop_interaction.benchmarks.accuracy.judge_agreement import JudgeOptions, measure_agreement


def test_both_judges_agree_on_a_table_that_is_clearly_done_or_not():
    judged = {j.state: j for j in measure_agreement(JudgeOptions(scenes=1, seed=2, offsets_px=(0, 40), turn_deg=0))}
    assert (judged["0 px off"].truth, judged["0 px off"].pictures) == (True, True)
    assert (judged["40 px off"].truth, judged["40 px off"].pictures) == (False, False)
    assert (judged["start"].truth, judged["start"].pictures) == (False, False)
