"""A real broker, and somebody who listens to it."""

import pytest

from edge.serve import link
from tests.edge.serve.broker import Broker, Subscriber


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(link, "QUICKEST", 0.05)
    monkeypatch.setattr(link, "SLOWEST", (1, 1))


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path, extra="log_type all") as broker:
        yield broker


@pytest.fixture
def heard(broker):
    with Subscriber(broker.port) as heard:
        yield heard
