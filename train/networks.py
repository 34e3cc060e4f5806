"""Anchor-free face locators: YuNet, its student, a MobileNet with a feature pyramid. Inputs as in `backbones`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from keras import layers

from edge.errors import InputError
from train.backbones import FLOAT, body, in_float32, with_input

STRIDES = (8, 16, 32)
FARTHEST = 3.0  # strides from a cell to a centre, and logarithm of a side; no face asks for more


def locator(backbone: str, height: int, width: int, weights: str) -> keras.Model:
    """Frames, raw RGB (batch, height, width, 3) -> (batch, N, 6): class logit, object logit, dx, dy, log w, log h.

    N cells at strides 8, 16 and 32, row by row; `edge.locate.cells` gives the same order. Sides: multiples of 32.
    """
    if backbone in FRONTS:
        core = _yunet(backbone, height, width)
        _load_yunet(core, weights)
    else:
        core = _pyramid(body(backbone, height, width, weights))
    terms = layers.Concatenate(dtype=FLOAT, name="terms")(core.output)
    return with_input(keras.Model(core.input, terms, name="network"), normalised=backbone not in FRONTS)


def exported_locator(trained: keras.Model, backbone: str, height: int, width: int) -> keras.Model:
    """The trained locator at any size, in float32, with the outputs of the bundle's contract.

    Outputs: scores (batch, N, 1), the product of both sigmoids, that is the square of the score; boxes (batch, N, 4),
    clipped at FARTHEST: what background cells give would make the steps of INT8 twice as coarse.
    """
    with in_float32():
        yunet = backbone in FRONTS
        core = _yunet(backbone, height, width) if yunet else _pyramid(body(backbone, height, width, "none"))
        core.set_weights(trained.get_layer("network").get_weights())
        label, thing, terms = core.output
        sigmoids = [layers.Activation("sigmoid")(logits) for logits in (label, thing)]
        boxes = keras.ops.clip(terms, -FARTHEST, FARTHEST)
        network = keras.Model(core.input, [layers.Multiply(name="scores")(sigmoids), boxes], name="network")
        return with_input(network, normalised=not yunet)


def _heads(features: list[Any], head: Any) -> list[Any]:
    """Class logit, object logit and box of every cell of all strides: (batch, N, 1), (batch, N, 1), (batch, N, 4)."""
    terms = []
    for kind, channels in (("class", 1), ("object", 1), ("box", 4)):
        rows = [layers.Reshape((-1, channels))(head(x, channels, kind, k)) for k, x in enumerate(features)]
        terms.append(layers.Concatenate(axis=1, name=kind)(rows))
    return terms


# --- MobileNet with a feature pyramid -----------------------------------------------------------------------------

FEATURE_LAYERS = {  # at strides 8, 16 and 32
    "mobilenet": ("conv_pw_5_relu", "conv_pw_11_relu", "conv_pw_13_relu"),
    "mobilenetv2": ("block_6_expand_relu", "block_13_expand_relu", "out_relu"),
}


def _pyramid(backbone: keras.Model, channels: int = 64) -> keras.Model:
    """Feature pyramid (Lin et al. 2017) with separable heads shared by no stride."""
    names = FEATURE_LAYERS[backbone.name.split("_")[0]]
    eighth, sixteenth, half = (layers.Conv2D(channels, 1)(backbone.get_layer(name).output) for name in names)
    sixteenth = layers.Add()([sixteenth, layers.UpSampling2D()(half)])
    eighth = layers.Add()([eighth, layers.UpSampling2D()(sixteenth)])
    features = [_separable(layers.ReLU(6.0)(x), channels) for x in (eighth, sixteenth, half)]
    return keras.Model(backbone.input, _heads(features, _pyramid_head))


def _separable(x: Any, channels: int) -> Any:
    return layers.ReLU(6.0)(layers.SeparableConv2D(channels, 3, padding="same")(x))


def _pyramid_head(x: Any, channels: int, kind: str, level: int) -> Any:
    rare = keras.initializers.Constant(-4.0 if kind == "object" else 0.0)  # few cells hold a face
    return layers.Conv2D(channels, 1, bias_initializer=rare, name=f"{kind}_{STRIDES[level]}")(x)


# --- YuNet --------------------------------------------------------------------------------------------------------
# Wu, Peng, Yu: YuNet, a tiny millisecond-level face detector, 2023. Layers are named after the tensors of the public
# ONNX file ("pw212" makes tensor 212); its landmark heads, which come last there, are left out.

YUNET_BODY = (
    (212, 461), (217, 464), (221, 467), (225, 470), (229, 473), (234, 476), (238, 479), (243, 482), (247, 485),
    (252, 488), (256, 491), (260, 494), (270, 497), (280, 500), (284, 503), (288, 506), (292, 509),
)  # fmt: skip
YUNET_HEADS = {
    "class": ((296, 297), (298, 299), (300, 301)),
    "box": ((302, 303), (304, 305), (306, 307)),
    "object": ((308, 309), (310, 311), (312, 313)),
}
YUNET_PAIRS = (*YUNET_BODY, *(pair for pairs in YUNET_HEADS.values() for pair in pairs))
YUNET_ORDER = ("stem", *(f"{kind}{n}" for pair in YUNET_PAIRS for kind, n in zip(("pw", "dw"), pair, strict=True)))
"""The layers in the order of the public file's convolutions."""


def _yunet(kind: str, height: int, width: int) -> keras.Model:
    image = keras.Input((height, width, 3))
    x = layers.Identity(name="front")(FRONTS[kind](image))
    eighth = _yunet_pair(_yunet_pair(x, 64, 234, 476), 64, 238, 479)
    sixteenth = _yunet_pair(_yunet_pair(layers.MaxPooling2D()(eighth), 64, 243, 482), 64, 247, 485)
    half = _yunet_pair(_yunet_pair(layers.MaxPooling2D()(sixteenth), 64, 252, 488), 64, 256, 491)
    half = _yunet_pair(half, 64, 260, 494)
    sixteenth = _yunet_pair(layers.Add()([sixteenth, layers.UpSampling2D()(half)]), 64, 270, 497)
    eighth = _yunet_pair(layers.Add()([eighth, layers.UpSampling2D()(sixteenth)]), 64, 280, 500)
    pairs = zip((eighth, sixteenth, half), ((284, 503), (288, 506), (292, 509)), strict=True)
    features = [_yunet_pair(x, 64, *names) for x, names in pairs]
    return keras.Model(image, _heads(features, _yunet_head))


def _published_front(image: Any) -> Any:
    """To stride 8: (batch, H, W, 3) -> (batch, H / 8, W / 8, 64)."""
    x = layers.Conv2D(16, 3, strides=2, name="stem")(layers.ZeroPadding2D(1)(image))
    x = _yunet_pair(layers.ReLU()(x), 16, 212, 461)
    x = _yunet_pair(layers.MaxPooling2D()(x), 16, 217, 464)
    x = _yunet_pair(x, 64, 221, 467)
    x = _yunet_pair(_yunet_pair(x, 64, 225, 470), 64, 229, 473)
    return layers.MaxPooling2D()(x)


def _student_front(image: Any) -> Any:
    """The same of full convolutions, of which the runtime does ten times as many multiply-adds a second."""
    x = layers.ReLU()(layers.Conv2D(16, 3, strides=2, padding="same", name="stem")(image))
    x = layers.ReLU()(layers.Conv2D(32, 3, strides=2, padding="same", name="front_4")(x))
    x = layers.ZeroPadding2D(((1, 0), (1, 0)))(x)  # so that a cell looks at its centre
    x = layers.ReLU()(layers.Conv2D(64, 3, strides=2, name="front_8")(x))
    return _yunet_pair(x, 64, "_front", "_front")


FRONTS = {"yunet": _published_front, "student": _student_front}
NEW = ("front_4", "front_8", "pw_front", "dw_front")  # layers of the student that YuNet does not have


def _yunet_pair(x: Any, channels: int, pointwise: int | str, depthwise: int | str, relu: bool = True) -> Any:
    x = layers.Conv2D(channels, 1, name=f"pw{pointwise}")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name=f"dw{depthwise}")(x)
    return layers.ReLU()(x) if relu else x


def _yunet_head(x: Any, channels: int, kind: str, level: int) -> Any:
    return _yunet_pair(x, channels, *YUNET_HEADS[kind][level], relu=False)


def _load_yunet(core: keras.Model, weights: str) -> None:
    """Weights from a Keras model with the same layer names, or from the public ONNX file."""
    if weights == "none":
        return
    file = Path(weights)
    readers = {".keras": _keras_weights, ".onnx": _onnx_weights}
    if file.suffix not in readers:
        raise InputError(f"--weights {weights}: yunet starts from a .keras or .onnx file of YuNet, or from none")
    known = readers[file.suffix](file)
    for layer in core.layers:
        name = layer.name
        if not layer.weights or (name in NEW and name not in known):
            continue
        try:
            layer.set_weights(known[name])
        except (KeyError, ValueError) as error:  # absent, or of another shape
            raise InputError(f"--weights {weights}: no weights that fit layer {name}; this is not YuNet") from error


def _keras_weights(file: Path) -> dict[str, list[Any]]:
    model = keras.models.load_model(file, compile=False)
    if any(layer.name == "network" for layer in model.layers):  # trained by this program
        model = model.get_layer("network")
    return {layer.name: layer.get_weights() for layer in model.layers}


def _onnx_weights(file: Path) -> dict[str, list[Any]]:
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(file).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    convolutions = [[arrays[name] for name in node.input[1:3]] for node in graph.node if node.op_type == "Conv"]
    # out, in, rows, columns -> rows, columns, in, out, or for depthwise ones rows, columns, out, in
    axes = {"pw": (2, 3, 1, 0), "dw": (2, 3, 0, 1), "st": (2, 3, 1, 0)}
    weights = {
        name: [kernel.transpose(axes[name[:2]]), bias]
        for name, (kernel, bias) in zip(YUNET_ORDER, convolutions, strict=False)
    }
    if "stem" in weights:
        weights["stem"][0] = weights["stem"][0][:, :, ::-1]  # published for blue, green, red
    return weights
