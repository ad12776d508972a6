"""Check that the ROS master answers, before any call that would wait for it without a limit."""

import os
import socket
import xmlrpc.client
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from tabletop_interaction.errors import MasterUnreachable

_DEFAULT_URI = "http://localhost:11311"


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
    try:
        # An open port may never answer, so the time limit applies to every read, too.
        with xmlrpc.client.ServerProxy(uri, transport=_TimedTransport(timeout_s)) as master:
            answer = master.getPid("/tabletop_interaction")
    except (OSError, HTTPException, xmlrpc.client.Error, ValueError) as error:
        raise MasterUnreachable(_no_answer(uri, timeout_s, error)) from error
    if not isinstance(answer, list) or answer[:1] != [1]:
        raise MasterUnreachable(_no_answer(uri, timeout_s, f"it answers {answer!r}"))
    return uri


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
