"""Whatever is changed in a random log is found."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edge.ledger import Ledger, check
from tests.edge.test_ledger import write

LOG = st.lists(st.text(max_size=20), min_size=1, max_size=8)
CAPS = st.sampled_from([300, 600, float("inf")])


def random_log(folder: str, reasons: list[str], cap: float) -> tuple[Path, list[Path]]:
    """A whole log, and the files that hold its lines."""
    file = Path(folder) / "events.jsonl"
    ledger = Ledger(file, cap)
    for reason in reasons:
        ledger.add({"reason": reason})
    ledger.flush()
    ledger.close()
    assert check(file).findings == []
    return file, [path for path in (file.with_name("events.jsonl.1"), file) if path.exists()]


def is_found(reasons: list[str], cap: float, data: st.DataObject, change: Callable[[bytes], bytes]) -> bool:
    """Whether a change of one of the log's files, which must be one, is found."""
    with tempfile.TemporaryDirectory() as folder:
        file, parts = random_log(folder, reasons, cap)
        part = data.draw(st.sampled_from(parts))
        before = part.read_bytes()
        part.write_bytes(change(before))
        assert part.read_bytes() != before
        return bool(check(file).findings)


@given(LOG, CAPS, st.data())
def test_any_edit_of_a_single_byte_is_found(reasons: list[str], cap: float, data: st.DataObject) -> None:
    def edited(content: bytes) -> bytes:
        place = data.draw(st.integers(0, len(content) - 1))
        return content[:place] + bytes([content[place] ^ data.draw(st.integers(1, 255))]) + content[place + 1 :]

    assert is_found(reasons, cap, data, edited)


@given(LOG, CAPS, st.data())
def test_any_removed_stretch_of_bytes_is_found(reasons: list[str], cap: float, data: st.DataObject) -> None:
    """Also a cut end, and any number of lines."""

    def shortened(content: bytes) -> bytes:
        begin = data.draw(st.integers(0, len(content) - 1))
        return content[:begin] + content[data.draw(st.integers(begin + 1, len(content))) :]

    assert is_found(reasons, cap, data, shortened)


@given(LOG, CAPS, st.data())
def test_any_other_order_of_lines_is_found(reasons: list[str], cap: float, data: st.DataObject) -> None:
    """Removed, repeated and swapped ones among them."""

    def reordered(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        orders = st.lists(st.sampled_from(lines), max_size=len(lines) + 2)
        return b"".join(data.draw(orders.filter(lambda other: other != lines)))

    assert is_found(reasons, cap, data, reordered)


@given(LOG, st.data())
def test_a_writer_goes_on_after_any_cut_and_the_cut_stays_found(reasons: list[str], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file, _ = random_log(folder, reasons, float("inf"))
        content = file.read_bytes()
        # to cut the last newline off loses nothing
        file.write_bytes(content[: data.draw(st.integers(0, len(content) - 2))])
        write(file, 2)
        assert [record["number"] for record in map(json.loads, file.read_bytes().splitlines()[-2:])] == [
            len(reasons) + 1,
            len(reasons) + 2,
        ]
        assert check(file).findings
