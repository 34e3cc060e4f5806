"""The dashboard and the alerts know the metrics; a real Prometheus (Debian's) reads a door and answers every panel."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from edge.bulletin import About, Drift
from edge.serve.metrics import Metrics
from edge.share import Share
from edge.values import Decision, Signal, State
from tests.edge.serve.broker import free_port, until

ROOT = Path(__file__).resolve().parents[3]
FLEET = ROOT / "edge" / "fleet"
DASHBOARD = json.loads((FLEET / "dashboard.json").read_text("utf-8"))
VARIABLES = {"$door": ".*", "$__rate_interval": "10s", "$__range": "1h"}
STAGES = ("check", "locate", "crop", "classify", "decide", "output")

needs_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Debian's prometheus")


def queries():
    """Every query of the dashboard, by its panel, with values for its variables."""
    found = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]
    found += [(each["name"], each["expr"]) for each in DASHBOARD["annotations"]["list"]]
    for name, value in VARIABLES.items():
        found = [(title, query.replace(name, value)) for title, query in found]
    return found


def about(missed=0):
    drift = Drift({"score": 0.05, "brightness": 0.02}, 320)
    known = {"bundle": "maskgate-4", "made": "2026-05-01T12:00:00Z", "version": "0.1.0", "runs_on": "the processor"}
    return About(**known, started=time.monotonic() - 60, mode="must_wear", missed=missed, drift=drift)


def exported():
    """The names of all samples that a door has, once it knows of itself."""
    metrics = Metrics()
    metrics.about(about())
    return set(re.findall(r"^(\w+)", metrics().decode(), re.MULTILINE))


def test_every_query_is_one_that_prometheus_understands(tmp_path):
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool (Debian's prometheus)")
    rules = [{"record": f"panel:{number}", "expr": query} for number, (_, query) in enumerate(queries())]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    ran = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert not any("$" in query for _, query in queries())


def test_dashboard_and_alerts_name_only_metrics_that_a_door_has():
    alerts = re.findall(r"\bexpr: (?:>-\n)?(.+?)\n +(?:for|labels):", (FLEET / "alerts.yml").read_text(), re.DOTALL)
    assert len(alerts) == 15
    for query in [*alerts, *(query for _, query in queries())]:
        named = set(re.findall(r"\bmaskgate_\w+", query))
        assert named <= exported(), query
        assert named or re.search(r"\b(up|ALERTS)\b", query), query


def test_the_panels_have_names_and_numbers_of_their_own_and_do_not_overlap():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    cells = [
        (place["x"] + x, place["y"] + y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["w"])
        for y in range(place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


class Door:
    """A daemon that offers its socket and decides ten times a second, and the real `maskgate serve` beside it."""

    def __init__(self, folder):
        self.port = free_port()
        self._folder, self._over = folder, threading.Event()
        self._daemon = threading.Thread(target=self._decide)
        subprocess.run([FLEET / "certificates.sh", folder, "localhost"], check=True)
        listen, certificate = f'listen = "127.0.0.1:{self.port}"', f'certificate = "{folder}/localhost.pem"'
        web = f'[web]\n{listen}\n{certificate}\nkey = "{folder}/localhost.key"\nfolder = "{folder}/serve"\n'
        (folder / "door.toml").write_text(f'[share]\nsocket = "{folder}/share"\n{web}')

    def __enter__(self):
        self._daemon.start()
        command = [sys.executable, "-m", "edge", "serve", "--config", self._folder / "door.toml"]
        out = subprocess.PIPE
        self._serve = subprocess.Popen(
            command, cwd=ROOT, stdout=out, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
        )
        self.token = self._serve.stdout.readline().split()[-1]
        return self

    def __exit__(self, *error):
        self._serve.send_signal(signal.SIGTERM)
        assert self._serve.wait(10) == 0
        self._serve.stdout.close()
        self._over.set()
        self._daemon.join()

    def _decide(self):
        states = [State.IDLE, State.CHECKING, State.ALLOW, State.UNKNOWN, State.DENY, State.FAULT]
        with Share(self._folder / "share", about, lambda request: "") as share:
            number = 0
            while not self._over.wait(0.1):
                state = states[number % len(states)]
                stages = tuple((stage, 0.01) for stage in STAGES)
                signals = frozenset({Signal.HEARTBEAT, Signal.TAMPER} if state == State.DENY else {Signal.HEARTBEAT})
                share(Decision(time.monotonic(), state, "the lens is covered", (), signals, stages=stages))
                number += 1


class Prometheus:
    """A real one, with the configuration of this folder but for its paths, ports and pace."""

    def __init__(self, folder, door):
        self._folder, self._port = folder, free_port()
        (folder / "localhost.token").write_text(door.token)
        shutil.copy(FLEET / "alerts.yml", folder)
        text = (FLEET / "prometheus.yml").read_text("utf-8") + (FLEET / "door.yml").read_text("utf-8")
        text = text.replace("/etc/prometheus/maskgate", str(folder)).replace("15s", "300ms")
        (folder / "prometheus.yml").write_text(text.replace("8443", str(door.port)).replace("DOOR", "localhost"))

    def __enter__(self):
        options = [f"--config.file={self._folder}/prometheus.yml", f"--storage.tsdb.path={self._folder}/data"]
        options += [f"--web.listen-address=127.0.0.1:{self._port}", "--log.level=error"]
        self._process = subprocess.Popen(["prometheus", *options], stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *error):
        self._process.terminate()
        self._process.wait(20)

    def get(self, path, **query):
        """What it answers; nothing while it is not there yet."""
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            assert error.code == 503, f"{query}: {error.read().decode()}"
            return {}
        except OSError:
            return {}

    def ask(self, query):
        return self.get("query", query=query).get("result", [])


@needs_prometheus
def test_a_real_prometheus_reads_a_door_and_answers_every_panel(tmp_path):
    with Door(tmp_path) as door, Prometheus(tmp_path, door) as prometheus:
        until(lambda: prometheus.ask('up{job="maskgate",instance="localhost"} == 1'), "the door is read", 30)
        until(lambda: prometheus.ask("maskgate_changes_total{state='DENY'} > 1"), "it decides", 30)
        (target,) = prometheus.get("targets")["activeTargets"]
        assert target["health"] == "up", target["lastError"]
        for title, query in queries():
            until(lambda query=query: prometheus.ask(query), f"{title}: {query}")
        until(lambda: prometheus.ask('ALERTS{alertname="MaskgateTamper",alertstate="firing"}'), "the case was opened")
        rules = prometheus.get("rules")["groups"][0]["rules"]
        assert {rule["health"] for rule in rules} == {"ok"}, [rule for rule in rules if rule["health"] != "ok"]
