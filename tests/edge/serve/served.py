"""An Mqtt at work for the tests, and what a subscriber hears of it."""

import msgspec
from anyio.from_thread import start_blocking_portal

from edge.bulletin import About, Bulletin
from edge.serve.mqtt import Mqtt
from edge.serve.topics import Told, topic
from edge.settings import MqttSettings
from tests.edge.serve.broker import HOST, until

ABOUT = About(
    bundle="maskgate-4", made="", version="0.1.0", runs_on="cpu", started=1.0, mode="must_wear", override=True
)
DISCOVERY = "homeassistant/device/maskgate_door1/config"


class Served:
    """An Mqtt in a thread of its own. asked: of the daemon, which answers `answer`. said: lines for people."""

    def __init__(self, port, password="", stats_seconds=60.0, **settings):
        self.asked, self.answer, self.said = [], "", []
        self.mqtt = Mqtt(
            MqttSettings(host=HOST, port=port, device="door1", **({"tls": False} | settings)),
            self._ask,
            password,
            temperature=lambda: 51.5,
            stats_seconds=stats_seconds,
            say=self.said.append,
        )
        self._bulletins = 0

    def __enter__(self):
        self._portals = start_blocking_portal()
        self._portal = self._portals.__enter__()
        self._run = self._portal.start_task_soon(self.mqtt.run)
        return self

    def __exit__(self, *error):
        self.end()
        self._portals.__exit__(None, None, None)

    def end(self):
        self._run.cancel()
        until(self._run.done)

    @property
    def pause(self):
        return self.mqtt._link._patience._pause

    async def _ask(self, request):
        self.asked.append(request)
        return self.answer

    def call(self, function, *arguments):
        self._portal.call(function, *arguments)

    def begin(self, *states):
        """The daemon is there, says what it is, and shows these states."""
        self.call(self.mqtt.connected, True)
        self.call(self.mqtt.about, ABOUT)
        for state in states:
            self.show(state)

    def show(self, state, reason="", signals=("HEARTBEAT",)):
        self._bulletins += 1
        self.call(self.mqtt.bulletin, bulletin(self._bulletins, state, reason, signals))


def bulletin(number, state="IDLE", reason="", signals=()):
    return Bulletin(number, number / 10, 0.02, state, reason, signals)


def at(what):
    return topic("door1", what)


def told(heard, what):
    """State and reason of what was heard at a topic."""
    return [(message.state, message.reason) for text in heard.at(at(what)) if (message := read(text, Told))]


def alike(text, other):
    """Whether a text is this Told but for its time."""
    return bool(text) and msgspec.structs.replace(read(text, Told), at="") == other


def read(text, kind):
    return msgspec.json.decode(text, type=kind, strict=True)
