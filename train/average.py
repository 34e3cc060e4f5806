"""Average classifiers that were trained one from the other: python -m train average A B --shares 0.8 0.2 --out DIR.

A and B are folders in which training left its classifier. The mean of their weights often does better than either
(Wortsman et al. 2022, Model soups), and costs the device nothing. Ends with classifier.keras and classifier.json in
the folder `--out`; `convert` fits the temperature anew.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import keras
import numpy as np

from edge.errors import InputError

MODEL, CARD = "classifier.keras", "classifier.json"


def average(arguments: argparse.Namespace) -> None:
    """The command. Raises InputError unless the classifiers are of one architecture and the shares fit them."""
    folders, shares = arguments.folders, arguments.shares or [1.0] * len(arguments.folders)
    if len(shares) != len(folders) or min(shares) < 0 or not sum(shares):
        raise InputError(f"--shares {' '.join(map(str, shares))}: give one share for each of {len(folders)} folders")
    models = [_load(folder) for folder in folders]
    weights = [model.get_weights() for model in models]
    if len({tuple(each.shape for each in some) for some in weights}) > 1:
        raise InputError(f"{', '.join(map(str, folders))}: not of one architecture; average what was trained alike")
    means = (np.average(np.stack(each), axis=0, weights=shares) for each in zip(*weights, strict=True))
    models[0].set_weights(list(means))
    card = json.loads((folders[0] / CARD).read_text())
    card["training"]["averaged"] = [
        {"share": share / sum(shares), "weights": json.loads((folder / CARD).read_text())["training"].get("weights")}
        for folder, share in zip(folders, shares, strict=True)
    ]
    arguments.out.mkdir(parents=True, exist_ok=True)
    models[0].save(arguments.out / MODEL)
    (arguments.out / CARD).write_text(json.dumps(card, indent=1))


def _load(folder: Path) -> keras.Model:
    for file in (folder / MODEL, folder / CARD):
        if not file.is_file():
            raise InputError(f"{file}: no such file; run `python -m train classifier --out {folder}` first")
    return keras.models.load_model(folder / MODEL, compile=False)
