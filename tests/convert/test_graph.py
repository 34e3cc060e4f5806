import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.graph import Graph, Operator, TensorInfo, multiply_adds, read_graph
from edge.contract import Tensor
from edge.interpreter import tensors_of


def dense_model() -> bytes:
    """A .tflite file with one dense layer, 4 INT8 values to 3, written without TensorFlow."""
    weights = np.arange(12, dtype=np.int8).reshape(3, 4)
    buffers = [schema.BufferT(), schema.BufferT()]
    buffers[1].data = np.frombuffer(weights.tobytes(), np.uint8)
    tensors = [
        tensor(b"x", (1, 4), 0, 1 / 128, 0),
        tensor(b"w", (3, 4), 1, 0.5, 0),
        tensor(b"y", (1, 3), 0, 0.25, -3),
    ]
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, -1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = schema.FullyConnectedOptionsT()
    operator.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU6
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 4
    graph = schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs, graph.operators = tensors, [0], [2], [operator]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], buffers
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def tensor(name: bytes, shape: tuple[int, ...], buffer: int, scale: float, zero_point: int) -> schema.TensorT:
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, list(shape), schema.TensorType.INT8, buffer
    made.quantization = schema.QuantizationParametersT()
    made.quantization.scale, made.quantization.zeroPoint = [scale], [zero_point]
    return made


def test_a_file_gives_its_operators_with_shapes_types_and_options():
    graph = read_graph(dense_model())
    x, w, y = TensorInfo("x", (1, 4)), TensorInfo("w", (3, 4), constant=True), TensorInfo("y", (1, 3))
    (operator,) = graph.operators
    assert (graph.inputs, graph.outputs, graph.subgraphs) == ((x,), (y,), 1)
    # the bias is left out
    assert (operator.name, operator.inputs, operator.outputs) == ("FULLY_CONNECTED", (x, w), (y,))
    assert operator.options["fusedActivationFunction"] == "RELU6"


def test_the_runtime_says_what_input_and_output_mean():
    assert tensors_of(dense_model()) == ([Tensor((1, 4), 1 / 128, 0)], [Tensor((1, 3), 0.25, -3)])


def test_multiply_adds_are_those_of_convolutions_and_dense_layers():
    picture, features = TensorInfo("x", (1, 8, 8, 3)), TensorInfo("y", (1, 4, 4, 16))
    operators = (
        Operator("CONV_2D", (picture, TensorInfo("w", (16, 3, 3, 3))), (features,)),
        Operator("DEPTHWISE_CONV_2D", (features, TensorInfo("w", (1, 5, 5, 16))), (features,)),
        Operator("ADD", (features, features), (features,)),
        Operator("FULLY_CONNECTED", (features, TensorInfo("w", (3, 256))), (TensorInfo("z", (1, 3)),)),
    )
    total = 4 * 4 * 16 * 27 + 4 * 4 * 16 * 25 + 3 * 256
    assert multiply_adds(Graph((picture,), (features,), operators)) == total
