"""The large convolution for real: needs the train extra (make test-slow)."""

import pytest

from convert.graph import multiply_adds, read_graph
from convert.limit import large_convolution
from edge.bench.limit import LIMIT

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def test_it_is_one_operator_in_integers_as_large_as_the_one_that_is_kept():
    made, kept = read_graph(large_convolution()), read_graph(LIMIT)
    assert [operator.name for operator in made.operators] == ["CONV_2D"]
    assert [tensor.dtype for tensor in made.inputs + made.outputs] == ["INT8", "INT8"]
    assert multiply_adds(made) == multiply_adds(kept) == 150_994_944
