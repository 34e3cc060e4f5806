"""Does this device compute what the workstation computed? A bundle brings pictures and what its networks say of them.

Processors round differently, and a network carries that on: the answers of an ARM core and of a PC, both right, are up
to 39 steps of 255 apart in single numbers, 1.7 on average. So only averages are compared, over all pictures, and each
bundle says how far rounding alone takes its own networks; twice that and a little is allowed.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.contract import Bundle
from edge.errors import BundleError, ModelError
from edge.interpreter import Integers, Network, networks

OUTPUTS_OF = {"locator": ("scores", "boxes"), "classifier": ("logits",)}
"""Networks and their outputs, in their order. A golden file, .npz, holds for each network NETWORK_pictures, uint8
(N, H, W, 3); for each output NETWORK_OUTPUT, int8 (N, *shape), and NETWORK_OUTPUT_rounding, float64 (2,): how far
another way of rounding takes it, as `apart` tells."""
TIMES, MORE = 2.0, 0.2
"""Of what rounding explains, the multiple that is allowed, and the steps on top."""

Golden = Mapping[str, NDArray[Any]]


def self_test(bundle: Bundle) -> None:
    """Whether the networks answer the bundle's golden pictures as they should, on this device.

    Raises BundleError, which names the network and how far it is off, or why it cannot be told.
    """
    golden = read_golden(bundle)
    for name, network in zip(OUTPUTS_OF, networks(bundle), strict=True):
        try:
            answers = answers_to(network, golden[f"{name}_pictures"])
        except ModelError as error:
            raise BundleError(f"bundle {bundle.folder}: {error}") from error
        for output, answer in zip(OUTPUTS_OF[name], answers, strict=True):
            if reason := too_far(answer, golden[f"{name}_{output}"], golden[f"{name}_{output}_rounding"]):
                raise BundleError(
                    f"bundle {bundle.folder}: the {name} does not answer as it should here: {output} {reason}; "
                    f"use another bundle, or another version of the TFLite runtime"
                )


def answers_to(network: Network, pictures: Iterable[NDArray[np.uint8]]) -> Integers:
    """Each output's integers for all pictures, int8 (N, *shape)."""
    return [np.concatenate(output) for output in zip(*(network.answer(rgb) for rgb in pictures), strict=True)]


def apart(some: NDArray[np.int8], others: NDArray[np.int8]) -> NDArray[np.float64]:
    """Steps between two answers, int8 (N, ..., columns) both: on average, and the mean to one side of any column."""
    steps = some.astype(np.float64) - others
    return np.array([np.abs(steps).mean(), np.abs(steps.reshape(-1, steps.shape[-1]).mean(axis=0)).max()])


def too_far(answer: NDArray[np.int8], golden: NDArray[np.int8], rounding: NDArray[np.float64]) -> str | None:
    """How much further apart they are than rounding explains, for people; None if they are not."""
    found, allowed = apart(answer, golden), TIMES * rounding + MORE
    if (found <= allowed).all():
        return None
    limits = f"at most {allowed[0]:.2f} and {allowed[1]:.2f}"
    return f"{found[0]:.2f} steps off on average, {found[1]:.2f} to one side, {limits}"


def read_golden(bundle: Bundle) -> Golden:
    """The golden file's arrays, checked. Raises BundleError."""
    if bundle.contract.golden is None:
        raise BundleError(f"bundle {bundle.folder}: has nothing to test itself with; convert the models again")
    file = bundle.folder / bundle.contract.golden.file
    try:
        with file.open("rb") as content, np.load(content, allow_pickle=False) as arrays:
            golden = {name: np.asarray(arrays[name]) for name in arrays.files}
        check(golden, bundle)
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BundleError(f"{file}: no pictures and answers for these networks ({error}); convert again") from error
    return golden


def check(golden: Golden, bundle: Bundle) -> None:
    """ValueError or KeyError if an array is missing or is not what the networks take and give."""
    find, tell = bundle.contract.locator, bundle.contract.classifier
    tensors = {
        "locator_pictures": find.input,
        "locator_scores": find.scores,
        "locator_boxes": find.boxes,
        "classifier_pictures": tell.input,
        "classifier_logits": tell.logits,
    }
    for name, tensor in tensors.items():
        kind = np.uint8 if name.endswith("pictures") else np.int8
        count = len(golden[f"{name.split('_')[0]}_pictures"])
        expect(name, golden[name], kind, (max(count, 1), *tensor.shape[1:]))
        if kind is np.int8:
            expect(f"{name}_rounding", golden[f"{name}_rounding"], np.float64, (2,))


def expect(name: str, array: NDArray[Any], kind: type, shape: tuple[int, ...]) -> None:
    if array.dtype != kind or array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"{name} is {array.dtype} {array.shape}, wanted is {np.dtype(kind)} {shape}")
