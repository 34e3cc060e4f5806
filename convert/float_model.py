"""The trained Keras models: read, run as the device's interpreter runs its own, and made ready for conversion.

Each is `Input (H, W, 3), raw RGB 0 to 255 -> perhaps a layer "normalise" -> a nested model "network"`. TensorFlow is
imported when first needed: it takes seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from edge.quiet import quiet
from edge.values import Rgb
from train.float_network import narrowest_first

Floats = NDArray[np.float32]

NETWORK, NORMALISE = "network", "normalise"


def load_model(file: Path, shape: tuple[int, int, int]) -> Any:
    """The Keras model in `file`; InputError if it is missing, unreadable or of another form or input shape."""
    if not file.is_file():
        raise InputError(f"{file}: no such file; run `make train` first")
    with quiet():  # TensorFlow tells what it finds and misses
        import keras

    try:
        model = keras.models.load_model(file, compile=False)
    except Exception as error:  # Keras raises whatever its readers met
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{file}: not a Keras model that can be read ({first}); run `make train` again") from error
    if NETWORK not in {layer.name for layer in model.layers}:
        raise InputError(f'{file}: has no nested model named "{NETWORK}"; run `make train` again')
    if tuple(model.input_shape[1:]) != shape:
        raise InputError(f"{file}: takes {model.input_shape[1:]}, its notes say {shape}; run `make train` again")
    return model


def network_input(model: Any, rgb: Rgb) -> Floats:
    """What the nested network sees of a picture, uint8 (H, W, 3): float32 (1, H, W, 3)."""
    pixels = rgb[np.newaxis].astype(np.float32)
    layers = {layer.name: layer for layer in model.layers}
    return np.asarray(layers[NORMALISE](pixels) if NORMALISE in layers else pixels, np.float32)


def static_network(model: Any) -> Any:
    """The nested network alone, weights shared, for a batch of exactly 1: what the Edge TPU asks for."""
    import keras

    network = model.get_layer(NETWORK)
    still = keras.Input(batch_shape=(1, *model.input_shape[1:]))
    copy = keras.models.clone_model(network, input_tensors=still, clone_function=_as_device_has_it)
    outputs = copy.output.values() if isinstance(copy.output, dict) else copy.outputs
    return keras.Model(copy.inputs, narrowest_first(list(outputs)))


def _as_device_has_it(layer: Any) -> Any:
    """The layer itself; for nearest upsampling, which Keras turns into TILE on six dimensions, one that resizes."""
    import keras

    if not isinstance(layer, keras.layers.UpSampling2D) or layer.interpolation != "nearest":
        return layer
    _, height, width, _ = layer.output.shape
    return keras.layers.Resizing(height, width, interpolation="nearest", name=layer.name)
