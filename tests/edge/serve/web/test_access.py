from pathlib import Path

import pytest

from edge.errors import InputError
from edge.serve.web.access import (
    CLIENTS,
    HASH_FILE,
    SESSION_SECONDS,
    SESSIONS,
    Allowance,
    Gate,
    hash_of,
    kept_hash,
    new_token,
)


class Clock:
    """Seconds that the test sets."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_token_is_told_once_and_only_its_hash_is_kept_for_the_owner_alone(tmp_path: Path) -> None:
    token = new_token(tmp_path / "serve")
    file = tmp_path / "serve" / HASH_FILE
    assert token and len(token) >= 43
    assert new_token(tmp_path / "serve") is None
    assert kept_hash(tmp_path / "serve") == hash_of(token)
    assert token not in file.read_text() and file.stat().st_mode & 0o777 == 0o600


def test_each_token_is_another(tmp_path: Path) -> None:
    assert new_token(tmp_path / "one") != new_token(tmp_path / "other")


@pytest.mark.parametrize("content", ["", "secret", "g" * 64, "a" * 63, "ä"])
def test_a_damaged_hash_opens_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / HASH_FILE).write_text(content)
    with pytest.raises(InputError, match=HASH_FILE):
        kept_hash(tmp_path)


def test_without_a_hash_nothing_starts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=HASH_FILE):
        kept_hash(tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot keep the token's hash"):
        new_token(tmp_path / "file" / "serve")


@pytest.mark.parametrize("token", ["", "secre", "secret ", "SECRET", "\udcff", "s" * 100_000])
def test_only_the_token_fits(token: str) -> None:
    gate = Gate(hash_of("secret"))
    assert gate.fits("secret") and not gate.fits(token)


def test_a_session_ends_when_it_is_over_or_ended(clock: Clock) -> None:
    gate = Gate(hash_of("secret"), clock)
    one, other = gate.begin(), gate.begin()
    gate.end(one)
    assert not gate.knows(one) and gate.knows(other)
    clock.time = SESSION_SECONDS
    assert not gate.knows(other) and not gate.knows("")


def test_with_too_many_sessions_the_one_not_used_for_longest_ends() -> None:
    gate = Gate(hash_of("secret"))
    first, *others = [gate.begin() for _ in range(SESSIONS)]
    gate.knows(first)
    gate.begin()
    assert gate.knows(first) and not gate.knows(others[0]) and gate.knows(others[1])


def test_an_allowance_is_used_up_and_comes_back(clock: Clock) -> None:
    allowance = Allowance(3, 0.5, clock)
    assert [allowance.take("a") for _ in range(4)] == [True, True, True, False]
    assert allowance.take("b") and not allowance.has("a")
    clock.time = 2.0
    assert [allowance.take("a") for _ in range(2)] == [True, False]


def test_no_flood_of_addresses_fills_the_memory(clock: Clock) -> None:
    allowance = Allowance(1, 0.0, clock)
    for number in range(3 * CLIENTS):
        allowance.take(str(number))
    assert len(allowance._left) == CLIENTS
