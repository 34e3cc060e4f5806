import numpy as np
import pytest

from convert.edgetpu import findings
from convert.graph import Graph, Operator, TensorInfo, read_graph
from convert.quantize import both_ends, float_operators, quantize


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


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("backbone", ["yunet", "student", "mobilenet_0.25", "mobilenet_v2_1.0"])
def test_every_locator_becomes_int8_that_an_edge_tpu_could_run(backbone):
    from train import networks

    model = networks.exported_locator(networks.locator(backbone, 64, 96, "none"), backbone, 64, 96)
    size = model.input_shape[1:]
    pictures = [np.random.default_rng(k).integers(0, 256, size, np.uint8) for k in range(4)]
    assert findings(read_graph(quantize(model, pictures))) == []
