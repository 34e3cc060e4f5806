import numpy as np

from convert.graph import Graph, Operator, TensorInfo
from convert.quantize import both_ends, float_operators


def test_the_extra_calibration_picture_holds_black_and_white_alike():
    rgb = both_ends(4, 6)
    assert (rgb.shape, rgb.dtype) == ((4, 6, 3), np.uint8)
    assert np.unique(rgb, return_counts=True)[1].tolist() == [36, 36]


def test_operators_left_in_float_are_named_once():
    whole, real = TensorInfo("x", (1, 4)), TensorInfo("y", (1, 4), "FLOAT32")
    operators = (
        Operator("QUANTIZE", (real,), (whole,)),
        Operator("ADD", (whole, whole), (whole,)),
        Operator("ERF", (real,), (real,)),
        Operator("ERF", (real,), (real,)),
    )
    assert float_operators(Graph((real,), (real,), operators)) == ["QUANTIZE", "ERF"]
