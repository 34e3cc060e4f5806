"""How Home Assistant learns of a door by itself: one retained message that describes all of it.

It is the device form of MQTT discovery, which Home Assistant understands since the end of 2024.
"""

from __future__ import annotations

from typing import Any

import msgspec

from edge.bulletin import About
from edge.serve.topics import AVAILABILITY, CONTEST, FAULT, OVERRIDE, PRESS, STATE, STATS, topic
from edge.values import Signal, State

EXPIRE_SECONDS = 150
"""State and stats come every 60 s; what is older than this is unknown, whatever the broker says."""
TROUBLE = {Signal.HELD_OPEN: "Held open", Signal.FORCED_OPEN: "Forced open"}
COUNTED = {State.ALLOW: "Allowed", State.DENY: "Denied", State.UNKNOWN: "Not judged", State.FAULT: "Faults"}

Component = dict[str, Any]


def discovery(device: str, about: About) -> tuple[str, bytes]:
    """Topic and payload. device: the door's name in topics."""
    components = _states(device) | _signals(device) | _stats(device) | _buttons(device, about.override)
    for key, component in components.items():
        if len(component) > 1:
            component |= {"unique_id": f"maskgate_{device}_{key}"}
    payload = {
        "device": {
            "identifiers": [f"maskgate_{device}"],
            "name": device,
            "model": "maskgate",
            "sw_version": about.version,
        },
        "origin": {"name": "maskgate", "sw_version": about.version},
        "availability_topic": topic(device, AVAILABILITY),
        "components": components,
    }
    return f"homeassistant/device/maskgate_{device}/config", msgspec.json.encode(payload)


def _states(device: str) -> dict[str, Component]:
    at = {"state_topic": topic(device, STATE), "expire_after": EXPIRE_SECONDS}
    return {
        "state": at | {
            "platform": "sensor",
            "name": "State",
            "device_class": "enum",
            "options": [str(state) for state in State],
            "value_template": "{{ value_json.state }}",
            "json_attributes_topic": topic(device, STATE),
        },
        "allowed": at | _binary("Masks worn", f"value_json.state == '{State.ALLOW}'"),
        "fault": at | _binary("Fault", f"value_json.state == '{State.FAULT}'", "problem"),
        "last_fault": {
            "platform": "sensor",
            "name": "Last fault",
            "state_topic": topic(device, FAULT),
            # a state of Home Assistant's has at most 255 characters
            "value_template": "{{ value_json.reason[:255] }}",
            "json_attributes_topic": topic(device, FAULT),
            "entity_category": "diagnostic",
        },
    }  # fmt: skip


def _signals(device: str) -> dict[str, Component]:
    at = {"state_topic": topic(device, STATE), "expire_after": EXPIRE_SECONDS}
    return {
        "released": at | _binary("Released", _holds(Signal.RELEASE), "lock"),
        "tamper": at | _binary("Case", _holds(Signal.TAMPER), "tamper"),
    } | {signal.lower(): at | _binary(name, _holds(signal), "problem") for signal, name in TROUBLE.items()}


def _stats(device: str) -> dict[str, Component]:
    def sensor(name: str, value: str, **more: str) -> Component:
        return at | {"platform": "sensor", "name": name, "value_template": f"{{{{ value_json.{value} }}}}"} | more

    at = {"state_topic": topic(device, STATS), "expire_after": EXPIRE_SECONDS}
    diagnostic = {"entity_category": "diagnostic"}
    counts = {
        f"count_{state.lower()}": sensor(name, f"changes.{state} | default(0)", state_class="total_increasing")
        for state, name in COUNTED.items()
    }
    drift = _binary("Drift", "value_json.about.drift.alarm != ''", "problem") | {
        "json_attributes_topic": topic(device, STATS),
        "json_attributes_template": "{{ value_json.about.drift | tojson }}",
    }
    return counts | {
        "temperature": sensor(
            "Temperature", "temperature", device_class="temperature", unit_of_measurement="°C",
            state_class="measurement", **diagnostic,
        ),
        "frames": sensor(
            "Frames", "frames_per_second", unit_of_measurement="frames/s", state_class="measurement", **diagnostic
        ),
        "bundle": sensor("Models", "about.bundle", **diagnostic),
        "drift": at | drift | diagnostic,
    }  # fmt: skip


def _buttons(device: str, override: bool) -> dict[str, Component]:
    """A component that is nothing but its platform is taken away again."""

    def button(name: str, command: str) -> Component:
        return {
            "platform": "button",
            "name": name,
            "command_topic": topic(device, command),
            "payload_press": PRESS.decode(),
        }

    return {
        "wrong": button("That was wrong", CONTEST),
        "override": button("Release the door", OVERRIDE) if override else {"platform": "button"},
    }


def _binary(name: str, condition: str, device_class: str | None = None) -> Component:
    kind = {"device_class": device_class} if device_class else {}
    template = f"{{{{ 'ON' if {condition} else 'OFF' }}}}"
    return {"platform": "binary_sensor", "name": name, "value_template": template} | kind


def _holds(signal: Signal) -> str:
    return f"'{signal}' in value_json.signals"
