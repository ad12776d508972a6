"""`check_master` accepts a ROS master that answers; a missing, silent or other server is an error in bounded time."""

import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from xmlrpc.server import SimpleXMLRPCServer

import pytest

from tabletop_interaction.errors import MasterUnreachable
from tabletop_interaction.real.ros.master import check_master


@contextmanager
def _serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _master(answer):
    server = SimpleXMLRPCServer(("localhost", 0), logRequests=False)
    server.register_function(lambda caller: answer, "getPid")
    return server


def test_the_address_of_a_master_that_answers_is_returned():
    with _serving(_master([1, "", 4711])) as uri:
        assert check_master(uri) == uri


def test_the_address_comes_from_the_environment(monkeypatch):
    with _serving(_master([1, "", 4711])) as uri:
        monkeypatch.setenv("ROS_MASTER_URI", uri)
        assert check_master() == uri


def test_a_closed_port_is_an_error_at_once():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    with pytest.raises(MasterUnreachable, match=f"no ROS master answers at http://localhost:{port}"):
        check_master(f"http://localhost:{port}")


def test_a_port_that_never_answers_is_an_error_within_the_time_limit():
    with socket.socket() as silent:
        silent.bind(("localhost", 0))
        silent.listen()
        start = time.monotonic()
        with pytest.raises(MasterUnreachable, match="no answer in time"):
            check_master(f"http://localhost:{silent.getsockname()[1]}", timeout_s=0.2)
        assert time.monotonic() - start < 2


class _Page(BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, *args):
        pass


def test_another_server_is_refused():
    with _serving(HTTPServer(("localhost", 0), _Page)) as uri, pytest.raises(MasterUnreachable):
        check_master(uri)


@pytest.mark.parametrize("answer", [[0, "failed", 0], [], "yes"])
def test_a_master_that_answers_with_a_failure_is_refused(answer):
    with _serving(_master(answer)) as uri, pytest.raises(MasterUnreachable):
        check_master(uri)


@pytest.mark.parametrize("uri", ["localhost:11311", "http://localhost", "http://localhost:many", ""])
def test_an_invalid_address_is_refused(uri, monkeypatch):
    monkeypatch.setenv("ROS_MASTER_URI", "nonsense")
    with pytest.raises(MasterUnreachable, match="ROS_MASTER_URI is"):
        check_master(uri)
