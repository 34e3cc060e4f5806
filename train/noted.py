"""What training noted down beside its models: where the photos are, and how they were split."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from edge.errors import InputError
from train.boxes import with_boxes
from train.split import Split, prepare

DATA_FILE, SPLIT_FILE, AUDIT_FILE = "data.txt", "split.csv", "audit.json"


def find_photos(train: Path, data: Path | None) -> Path:
    """The folder that the models were trained on: `data`, or what training noted down. InputError if it is gone."""
    noted = train / DATA_FILE
    if data is None and not noted.is_file():
        raise InputError(f"{noted}: no such file; run `make train` first, or give --data DIR")
    folder = data or Path(noted.read_text(encoding="utf-8").strip())
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give --data DIR, the photos that the models were trained on")
    return folder


def read_split(data: Path, train: Path) -> Split:
    """The parts that training used, faces without a box given one as in training.

    InputError if training left no split, or if the data would be split otherwise today: a new split would measure on
    photos that were trained on.
    """
    try:
        noted = {name: (train / name).read_bytes() for name in (SPLIT_FILE, AUDIT_FILE)}
        seed = int(json.loads(noted[AUDIT_FILE])["seed"])
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read ({error.strerror}); run `make train` first") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{train / AUDIT_FILE}: not what training writes; run `make train` again") from error
    with tempfile.TemporaryDirectory() as copy:
        for name in noted:
            shutil.copy(train / name, copy)
        split = prepare(data, Path(copy), seed)
        if Path(copy, SPLIT_FILE).read_bytes() != noted[SPLIT_FILE]:
            raise InputError(f"{data}: the photos are not those of {train / SPLIT_FILE}; run `make train` again")
    train_part, validation, test = map(with_boxes, (split.train, split.validation, split.test))
    return Split(train_part, validation, test, split.fingerprint)
