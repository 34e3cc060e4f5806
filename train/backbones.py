"""The classifiers: the networks of keras.applications, and the small CNN that most projects of this kind train.

Every model takes raw RGB, float 0 to 255, (batch, H, W, 3). What normalises lies in the layer "normalise", the rest in
the nested model "network": the INT8 converter takes that one alone, since its input scale does the normalising there.
The network sees pixels as x / 128 - 1. Where published weights expect something else, its first layer changes that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
from keras import applications, layers

from edge.errors import InputError

FLOAT = "float32"  # of the outputs, whatever the precision inside

# what published weights expect, as scale and offset of x / 128 - 1, a value a colour
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, in parts of 255
STANDARDISED = (
    [128 / 255 / deviation for deviation in DEVIATION],
    [(128 / 255 - mean) / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)],
)
CENTRED = ([128.0, 128.0, 128.0], [128 - 123.68, 128 - 116.779, 128 - 103.939])  # Caffe: grey levels less their mean


@dataclass(frozen=True, slots=True)
class Body:
    """A network of keras.applications without its top.

    options: for its builder. least: pixels a side it can take. expects: scale and offset a colour; None: x / 128 - 1.
    stem: the name of its first convolution if that was published for blue, green, red.
    own: whether it has layers of its own that normalise, which are taken out.
    """

    build: Callable[..., keras.Model]
    options: Mapping[str, Any] = field(default_factory=dict)
    least: int = 32
    expects: tuple[list[float], list[float]] | None = None
    stem: str | None = None
    own: bool = False


BODIES = {
    "mobilenet_0.25": Body(applications.MobileNet, {"alpha": 0.25}),
    "mobilenet_0.5": Body(applications.MobileNet, {"alpha": 0.5}),
    "mobilenet_1.0": Body(applications.MobileNet, {"alpha": 1.0}),
    "mobilenet_v2_1.0": Body(applications.MobileNetV2, {"alpha": 1.0}),
    "mobilenet_v3_small": Body(applications.MobileNetV3Small, {"include_preprocessing": False}),
    "vgg16": Body(applications.VGG16, expects=CENTRED, stem="block1_conv1"),
    "resnet50": Body(applications.ResNet50, expects=CENTRED, stem="conv1_conv"),
    "inception_v3": Body(applications.InceptionV3, least=75),
    "efficientnet_b0": Body(applications.EfficientNetB0, expects=STANDARDISED, own=True),
}


def classifier(arch: str, size: int, weights: str, outputs: int, dropout: float = 0.2) -> keras.Model:
    """Crops, raw RGB (batch, size, size, 3) -> logits float32 (batch, outputs).

    arch: "seed" or one of BODIES. weights: as for `body`, or a .keras classifier of this architecture trained earlier,
    whose logits are taken over if there are as many. dropout: before the logits; seed has its own.
    Raises InputError if weights or size do not fit.
    """
    earlier = weights.endswith(".keras")
    given = "none" if earlier else weights
    network = _seed(size, given, outputs) if arch == "seed" else _pooled(arch, size, given, outputs, dropout)
    if earlier:
        _take_over(network, arch, weights)
        freeze_statistics(network)
    return with_input(network, normalised=True)


def exported_classifier(trained: keras.Model, arch: str, size: int, outputs: int) -> keras.Model:
    """The trained classifier in float32, whatever the precision it was trained in."""
    with in_float32():
        model = classifier(arch, size, "none", outputs)
    model.set_weights(trained.get_weights())
    return model


def body(arch: str, height: int, width: int, weights: str) -> keras.Model:
    """A network of BODIES without its top; input x / 128 - 1.

    weights: "imagenet" (downloaded by Keras), "none", or the path of a weights file.
    Batch normalisation keeps the statistics that came with the weights: those of small mixed batches ruin them.
    """
    kind = BODIES[arch]
    if min(height, width) < kind.least:
        raise InputError(f"--size: {arch} needs {kind.least} pixels a side, got {min(height, width)}; give more")
    image = layers.Rescaling(*kind.expects, name="expected")(keras.Input((height, width, 3))) if kind.expects else None
    given = {"none": None, "imagenet": "imagenet"}.get(weights, weights)
    try:
        model = kind.build(
            input_shape=(height, width, 3), input_tensor=image, include_top=False, weights=given, **kind.options
        )
    except Exception as error:  # Keras raises whatever its download or its reader met
        remedy = "; without a network give --weights PATH or none" if given == "imagenet" else ""
        raise InputError(f"--weights {weights} for {arch}: {str(error).splitlines()[0]}{remedy}") from error
    if given:
        freeze_statistics(model)
        _turn_colours(model, kind.stem)
    return keras.models.clone_model(model, clone_function=_without_its_own) if kind.own else model


def freeze_statistics(model: keras.Model) -> None:
    """Let every batch normalisation keep its statistics and scales."""
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False


def with_input(network: keras.Model, normalised: bool) -> keras.Model:
    """The nested model behind raw RGB; with the layer "normalise" between them, or without."""
    raw = keras.Input(network.input_shape[1:], name="rgb")
    pixels = layers.Rescaling(1 / 128, -1, name="normalise")(raw) if normalised else raw
    return keras.Model(raw, network(pixels))


@contextmanager
def in_float32() -> Iterator[None]:
    """Models built within compute in float32."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(FLOAT)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


def _pooled(arch: str, size: int, weights: str, outputs: int, dropout: float) -> keras.Model:
    core = body(arch, size, size, weights)
    features = layers.GlobalAveragePooling2D()(core.output)
    logits = layers.Dense(outputs, dtype=FLOAT, name="logits")(layers.Dropout(dropout)(features))
    return keras.Model(core.inputs[0], logits, name="network")


def _seed(size: int, weights: str, outputs: int) -> keras.Model:
    """As published by most student projects, 128 pixels a side, there with a softmax at its end."""
    if weights != "none":
        raise InputError(f"--weights {weights}: nobody published weights for seed; give none or a .keras file of yours")
    if size < 10:
        raise InputError(f"--size: seed needs 10 pixels a side, got {size}; give more")
    image = keras.Input((size, size, 3))
    x = layers.MaxPooling2D()(layers.Conv2D(32, 3, activation="relu", name="conv1")(image))
    x = layers.MaxPooling2D()(layers.Conv2D(64, 3, activation="relu", name="conv2")(x))
    x = layers.Dropout(0.5)(layers.Dense(128, activation="relu", name="dense1")(layers.Flatten()(x)))
    x = layers.Dropout(0.5)(layers.Dense(64, activation="relu", name="dense2")(x))
    return keras.Model(image, layers.Dense(outputs, dtype=FLOAT, name="logits")(x), name="network")


def _turn_colours(model: keras.Model, stem: str | None) -> None:
    if stem:
        layer = model.get_layer(stem)
        kernel, *bias = layer.get_weights()
        layer.set_weights([kernel[:, :, ::-1], *bias])  # published for blue, green, red


def _without_its_own(layer: Any) -> Any:
    """The layer itself; nothing for one that normalises what "expected" has normalised already."""
    own = isinstance(layer, layers.Rescaling | layers.Normalization) and layer.name != "expected"
    return layers.Identity(name=layer.name) if own else layer


def _take_over(network: keras.Model, arch: str, weights: str) -> None:
    """The weights of a classifier trained earlier; not its logits if there were more or fewer."""
    try:
        known = keras.models.load_model(Path(weights), compile=False).get_layer("network")
    except Exception as error:  # Keras raises whatever its reader met
        raise InputError(f"--weights {weights}: {str(error).splitlines()[0]}; give a classifier.keras") from error
    for layer in network.layers:
        try:
            if layer.weights:
                layer.set_weights(known.get_layer(layer.name).get_weights())
        except ValueError as error:  # absent, or of another shape
            if layer.name != "logits":
                raise InputError(f"--weights {weights}: nothing that fits layer {layer.name}; not {arch}") from error
