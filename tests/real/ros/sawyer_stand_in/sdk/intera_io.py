"""A thin stand-in for the module `intera_io` of Rethink's SDK: an IO device's signals, read and set by topics."""

import json
from typing import Any

import rospy
from intera_core_msgs.msg import IOComponentCommand, IODeviceConfiguration, IODeviceStatus
from intera_waiting import wait_for


class IODeviceInterface:
    """The device `/io/NODE/DEVICE`; raises OSError after 5 s without its configuration."""

    def __init__(self, node_name: str, dev_name: str) -> None:
        path = f"io/{node_name}/{dev_name}"
        self.config, self.state = IODeviceConfiguration(), IODeviceStatus()
        self.signals: dict[str, dict[str, Any]] = {}
        self._config_sub = rospy.Subscriber(f"{path}/config", IODeviceConfiguration, self._on_config)
        self._state_sub = rospy.Subscriber(f"{path}/state", IODeviceStatus, self._on_state)
        self._command_pub = rospy.Publisher(f"{path}/command", IOComponentCommand, queue_size=10)
        wait_for(lambda: self.config.time.secs != 0, 5.0, f"Failed to get config at: {path}/config.")
        wait_for(lambda: self.state.time.secs != 0, 5.0)

    def get_signal_value(self, signal_name: str) -> Any:
        """The signal's newest value, or None if the device has not sent it."""
        return self.signals.get(signal_name, {}).get("data")

    def set_signal_value(self, signal_name: str, signal_value: Any, timeout: float = 5.0) -> None:
        """Set a signal and wait for the acknowledgement; without one this only logs."""
        if signal_name not in self.signals:
            rospy.logerr(f"Cannot find signal '{signal_name}' in this IO Device.")
            return
        value = {"format": {"type": self.signals[signal_name]["type"]}, "data": [signal_value]}
        message = IOComponentCommand(rospy.Time.now(), "set", json.dumps({"signals": {signal_name: value}}))
        # Every 0.1 s, as the SDK does: the device acknowledges a repeated command once.
        if not wait_for(
            lambda: message.time in self.state.commands,
            timeout,
            rate=10,
            body=lambda: self._command_pub.publish(message),
        ):
            rospy.logwarn("Timed out waiting for command acknowlegment...")

    def _on_config(self, message: Any) -> None:
        self.config = message

    def _on_state(self, message: Any) -> None:
        self.state = message
        for signal in message.signals:
            data = json.loads(signal.data)
            kind = json.loads(signal.format)["type"]
            self.signals[signal.name] = {"type": kind, "data": data[0] if data else None}
