"""The notice for the door, and what the README says of settings: they must not promise what is not there."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from edge.settings import Settings

SERVE = Path(__file__).resolve().parents[3] / "edge" / "serve"
NOTICE = (SERVE / "notice.html").read_text("utf-8")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium")
@pytest.mark.parametrize("paper", ["A4", "letter"])
def test_each_language_of_the_notice_is_printed_on_one_page(tmp_path, paper):
    page, pdf = tmp_path / "notice.html", tmp_path / "notice.pdf"
    page.write_text(NOTICE.replace("size: auto", f"size: {paper}"), "utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    subprocess.run([*command, f"--print-to-pdf={pdf}", page.as_uri()], check=True, capture_output=True, timeout=60)
    assert len(re.findall(rb"/Type /Page\b(?!s)", pdf.read_bytes())) == NOTICE.count("<article") == 2


def test_both_languages_of_the_notice_ask_for_the_same():
    shapes = []
    for article in re.findall(r"<article.*?</article>", NOTICE, re.DOTALL):
        reader = Tags()
        reader.feed(article)
        shapes.append(reader.tags)
    assert shapes[0] == shapes[1]
    assert shapes[0].count("write") == 8


def test_the_notice_fetches_nothing():
    assert not re.search(r"https?:|src=|url\(|@import|<script|<link", NOTICE)


def test_the_readme_names_only_settings_that_there_are():
    known = msgspec.to_builtins(Settings())
    named = set(re.findall(r"`(\w+)\.(\w+)(?: = [^`]*)?`", (SERVE / "README.md").read_text("utf-8")))
    settings = {(table, key) for table, key in named if key not in ("py", "conf", "jsonl", "html", "sha256")}
    assert len(settings) >= 12
    assert {(table, key) for table, key in settings if key not in known.get(table, {})} == set()


class Tags(HTMLParser):
    """The tags of a text in their order, by their class if they have one."""

    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attributes):
        self.tags.append(dict(attributes).get("class", tag))
