"""Our definitions are the robot's types: ROS 1 compares them by their md5 sums."""

import sys

import pytest
from sawyer_stand_in.messages import generate_messages

pytest.importorskip("genpy", reason="needs Debian's ROS 1, see `make test-ros`")

ROBOTS = {
    "RobotAssemblyState": "df79ce5f75a6b23626e9fcdf1cc4d298",
    "JointCommand": "c8c85922d297da6209a089a906207e5d",
    "EndpointState": "ec04f0f9bc02b3e335181c07d68c2c98",
    "EndpointStates": "d7b5ea85d8388c002e6c6d800ba697bc",
    "CollisionDetectionState": "7bde38c182b4d08fdc0635b116f65d04",
    "JointLimits": "c4c445eb2c9324525a704c84ca1e7598",
    "HeadState": "51024ade10ffefe117049c9ba6fd743c",
    "HeadPanCommand": "5cb68e8755646564cf47813f91cee216",
    "IOComponentCommand": "ede95ba2953dc221dc82cac20f697530",
    "IODeviceStatus": "0d0c97a2d700848e7ad46e09a77cf896",
    "IODeviceConfiguration": "6757fad6217033498191470cb08f1674",
    "IONodeStatus": "260fce3c02f43bd977c92642b3c09c1d",
    "IONodeConfiguration": "66800b32dbb52df00e2454d58668ac33",
    "SolvePositionIK": "7ae4607244c30c6c631f3693cd280e45",
    "SolvePositionFK": "6db8c7b904dcebec9a59022cd894ef68",
}
"""Md5 sums of the types in Rethink's package intera_core_msgs 5.3.0."""


def test_the_types_have_the_robots_md5_sums(tmp_path, monkeypatch):
    generate_messages(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    from intera_core_msgs import msg, srv

    ours = {name: getattr(srv if name.startswith("Solve") else msg, name)._md5sum for name in ROBOTS}
    for name in [each for each in sys.modules if each.startswith("intera_core_msgs")]:
        monkeypatch.delitem(sys.modules, name)
    assert ours == ROBOTS
