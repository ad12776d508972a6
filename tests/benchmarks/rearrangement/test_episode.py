"""An episode: its scene, and the info that its agent gets."""

from contextlib import closing

import numpy as np

from tabletop_interaction.benchmarks.rearrangement.episode import open_table, play
from tabletop_interaction.benchmarks.rearrangement.setting import Scenes
from tabletop_interaction.sim_assets import background_names, object_names

FOR_AGENTS = {"held", "grasped", "pick_outcome", "pick_xy", "place_xy", "pick_place"}


def test_table_tops_come_from_one_split_and_objects_from_another():
    env, world = open_table(Scenes("test", "train"))
    with closing(env):
        env.reset(seed=0)
        assert world.background in background_names("train")
        assert {state.name for state in world.object_states()} <= set(object_names("test"))


def test_no_agent_gets_what_only_the_judge_knows():
    infos = []

    class Curious:
        def __init__(self, views, arena, rng):
            assert views[0].name == "view_0"

        def act(self, observation, info):
            infos.append(set(info))
            return np.zeros(5, np.float32)

    env, _ = open_table(Scenes(), displaced=1)
    with closing(env):
        steps = list(play(env, Curious, seed=200, most_interactions=2))
    assert {"goal_distance_px", "is_success", "displaced"} <= set(steps[-1].info)
    assert infos == [FOR_AGENTS, FOR_AGENTS]
