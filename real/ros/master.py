"""Ask the ROS master with a time limit: whether it answers, who publishes a topic, and whether it knows a node.

rospy's own calls wait for a master without a limit.
"""

import os
import socket
import xmlrpc.client
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from tabletop_interaction.errors import MasterUnreachable

_DEFAULT_URI = "http://localhost:11311"
_CALLER = "/tabletop_interaction"
_NO_ANSWER = (OSError, HTTPException, xmlrpc.client.Error, ValueError)


def check_master(uri: str | None = None, timeout_s: float = 3.0) -> str:
    """Check the master at `uri`, ROS_MASTER_URI by default, and return its address.

    Raises:
        MasterUnreachable: nothing listens there, it does not answer in time, or it is not a ROS master.
    """
    uri = uri or os.environ.get("ROS_MASTER_URI", _DEFAULT_URI)
    parts = urlsplit(uri)
    try:
        if parts.scheme != "http" or parts.hostname is None or parts.port is None:
            raise MasterUnreachable(f"ROS_MASTER_URI is {uri!r}; accepted is http://HOST:PORT, such as {_DEFAULT_URI}")
    except ValueError as error:
        raise MasterUnreachable(f"ROS_MASTER_URI is {uri!r}: {error}; accepted is http://HOST:PORT") from error
    _ask(uri, timeout_s, "getPid")
    return uri


def publishers_of(topic: str, uri: str, timeout_s: float = 3.0) -> tuple[str, ...]:
    """The nodes that are registered as publishers of a topic, sorted; MasterUnreachable if the master does not answer.

    A node that was killed stays registered; see `is_gone`.
    """
    publishers, *_ = _ask(uri, timeout_s, "getSystemState")
    return tuple(sorted({node for name, nodes in publishers if name == topic for node in nodes}))


def is_gone(node: str, uri: str, timeout_s: float = 1.0) -> bool:
    """Whether nothing listens at a node's address any more; a node that does not answer may still run."""
    address = address_of(node, uri)
    if address is None:
        return True
    try:
        _call(address, timeout_s, "getPid")
    except ConnectionRefusedError:
        return True
    except _NO_ANSWER:
        return False
    return False


def address_of(node: str, uri: str, timeout_s: float = 3.0) -> str | None:
    """The address of a node, None if the master does not know it; MasterUnreachable if the master does not answer."""
    answer = _answer(uri, timeout_s, "lookupNode", node)
    return str(answer[2]) if answer[0] == 1 else None


def _ask(uri: str, timeout_s: float, method: str, *arguments: str) -> Any:
    answer = _answer(uri, timeout_s, method, *arguments)
    if answer[0] != 1:
        raise MasterUnreachable(_no_answer(uri, timeout_s, f"it answers {answer!r}"))
    return answer[2]


def _answer(uri: str, timeout_s: float, method: str, *arguments: str) -> list[Any]:
    """Code, message and value; MasterUnreachable if there is no such answer."""
    try:
        answer = _call(uri, timeout_s, method, *arguments)
    except _NO_ANSWER as error:
        raise MasterUnreachable(_no_answer(uri, timeout_s, error)) from error
    if not isinstance(answer, list) or len(answer) != 3:
        raise MasterUnreachable(_no_answer(uri, timeout_s, f"it answers {answer!r}"))
    return answer


def _call(uri: str, timeout_s: float, method: str, *arguments: str) -> Any:
    # An open port may never answer, so the time limit applies to every read, too.
    with xmlrpc.client.ServerProxy(uri, transport=_TimedTransport(timeout_s)) as server:
        return getattr(server, method)(_CALLER, *arguments)


class _TimedTransport(xmlrpc.client.Transport):
    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self._timeout_s = timeout_s

    def make_connection(self, host: Any) -> HTTPConnection:
        connection = super().make_connection(host)
        connection.timeout = self._timeout_s
        return connection


def _no_answer(uri: str, timeout_s: float, why: object) -> str:
    why = "no answer in time" if isinstance(why, socket.timeout) else why
    return (
        f"no ROS master answers at {uri} within {timeout_s:.0f} s ({why}); nothing was opened; switch the robot on, "
        "check the cable, and set ROS_MASTER_URI as in the robot's intera.sh"
    )
