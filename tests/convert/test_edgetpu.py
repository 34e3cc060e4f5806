import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from convert.edgetpu import RULES, compiled_file, compiler_findings, find_compiler, findings, unmapped
from convert.graph import Graph, Operator, TensorInfo

PICTURE = TensorInfo("picture", (1, 32, 32, 3))
KERNEL = TensorInfo("kernel", (8, 3, 3, 3), constant=True, scales=8)
BIAS = TensorInfo("bias", (8,), "INT32", constant=True)
FEATURES = TensorInfo("features", (1, 16, 16, 8))
CONV = Operator("CONV_2D", (PICTURE, KERNEL, BIAS), (FEATURES,), {"dilationWFactor": 1, "dilationHFactor": 1})
AXES = TensorInfo("axes", (2,), "INT32", constant=True)
MEAN = Operator("MEAN", (FEATURES, AXES), (TensorInfo("mean", (1, 8)),), values={1: (1, 2)})
WEIGHTS = TensorInfo("weights", (3, 8), constant=True)
DENSE = Operator("FULLY_CONNECTED", (MEAN.outputs[0], WEIGHTS), (TensorInfo("logits", (1, 3)),))


def graph(*operators: Operator) -> Graph:
    return Graph(operators[0].inputs[:1], operators[-1].outputs, operators)


def test_a_plain_int8_network_fits():
    assert findings(graph(CONV, MEAN, DENSE)) == []


@pytest.mark.parametrize(
    ("operator", "words"),
    [
        (replace(CONV, name="TILE"), "not among the supported operators"),
        (replace(CONV, options={"dilationWFactor": 2, "dilationHFactor": 1}), "same dilation"),
        (replace(CONV, outputs=(replace(FEATURES, dtype="FLOAT32"),)), "FLOAT32 [1, 16, 16, 8] is not 8-bit"),
        (replace(CONV, outputs=(replace(FEATURES, fixed=False),)), "size is not known"),
        (replace(CONV, inputs=(PICTURE, replace(KERNEL, constant=False))), "is not constant"),
        (replace(MEAN, values={1: (0, 1)}), "no reduction in batch"),
        (replace(MEAN, inputs=(TensorInfo("x", (1, 4, 4, 6)), AXES), values={1: (3,)}), "multiple of 4"),
        (replace(DENSE, inputs=(MEAN.outputs[0], replace(WEIGHTS, scales=3))), "3 scales, wanted is one"),
        (replace(DENSE, outputs=(TensorInfo("y", (4, 3)),)), "output is one-dimensional"),
        (Operator("RESHAPE", (FEATURES,), (TensorInfo("y", (2, 2, 8, 8, 8)),)), "innermost three dimensions"),
        (Operator("SOFTMAX", (TensorInfo("x", (1, 20_000)),), (TensorInfo("y", (1, 20_000)),)), "16,000"),
        (Operator("MAX_POOL_2D", (FEATURES,), (FEATURES,), {"fusedActivationFunction": "RELU"}), "no fused"),
        (Operator("PAD", (FEATURES, AXES), (FEATURES,), values={1: (1, 0, 0, 0)}), "no padding in batch"),
        (Operator("CONCATENATION", (FEATURES, FEATURES, replace(FEATURES, constant=True)), (FEATURES,)), "two inputs"),
        (Operator("STRIDED_SLICE", (FEATURES, AXES, AXES, AXES), (FEATURES,), values={3: (1, 2)}), "strides equal"),
    ],
)
def test_what_the_rules_forbid_is_found(operator: Operator, words: str):
    assert any(operator.name in found and words in found for found in findings(graph(operator)))


def test_a_batch_of_two_is_found():
    two = replace(PICTURE, shape=(2, 32, 32, 3))
    assert any("batch must be 1" in each for each in findings(Graph((two,), DENSE.outputs, (CONV, MEAN, DENSE))))


def test_a_second_subgraph_is_found():
    assert findings(replace(graph(CONV), subgraphs=2)) == ["2 subgraphs: only one is supported"]


def test_every_limit_that_can_be_checked_is_checked():
    only_the_compiler_knows = {"RESHAPE", "UNIDIRECTIONAL_SEQUENCE_LSTM"}
    assert {name for name, rule in RULES.items() if rule.limit and not rule.kept} == only_the_compiler_knows


LOG = """Edge TPU Compiler version 16.0.384591198
Model compiled successfully in 100 ms.
Number of Edge TPU subgraphs: 1
Total number of operations: 3

Operator                       Count      Status

CONV_2D                        2          Mapped to Edge TPU
LOGISTIC                       1          Mapped to Edge TPU
"""
PARTLY = LOG + "TILE                           1          Operation not supported\n"


def test_a_log_that_maps_everything_has_no_findings():
    assert unmapped(LOG) == []


def test_a_log_names_what_is_left_to_the_processor():
    assert unmapped(PARTLY) == ["edgetpu_compiler: 1 x TILE: Operation not supported"]


def test_a_status_that_only_begins_like_mapped_is_no_mapping():
    assert unmapped(LOG + "MUL  1  Mapped to CPU\n") == ["edgetpu_compiler: 1 x MUL: Mapped to CPU"]


def test_a_log_without_operators_is_a_finding():
    assert unmapped("Edge TPU Compiler version 16\n") == ["edgetpu_compiler: its log lists no operators"]


def fake_compiler(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = folder / "edgetpu_compiler"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    found = find_compiler()
    assert found == file
    return found


def test_the_compiler_on_the_path_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    compiler = fake_compiler(tmp_path, f"cat <<'END'\n{LOG}END", monkeypatch)
    assert compiler_findings(compiler, tmp_path / "model.tflite") == []


COMPILES = f"""cat <<'END'
{LOG}END
echo compiled >"$3/$(basename "$4" .tflite)_edgetpu.tflite"
"""


def test_what_the_compiler_makes_is_kept_beside_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    compiler = fake_compiler(tmp_path, COMPILES, monkeypatch)
    assert compiler_findings(compiler, tmp_path / "model.tflite") == []
    assert (tmp_path / "model_edgetpu.tflite").read_text() == "compiled\n"
    assert compiled_file(tmp_path / "model.tflite") == tmp_path / "model_edgetpu.tflite"


def test_a_model_that_is_mapped_in_part_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    compiler = fake_compiler(tmp_path, COMPILES + f"cat <<'END'\n{PARTLY}END\n", monkeypatch)
    assert len(compiler_findings(compiler, tmp_path / "model.tflite")) == 1
    assert not (tmp_path / "model_edgetpu.tflite").exists()


def test_the_compiler_can_refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    compiler = fake_compiler(tmp_path, f"cat <<'END'\n{PARTLY}END", monkeypatch)
    assert compiler_findings(compiler, tmp_path / "model.tflite") == [
        "edgetpu_compiler: 1 x TILE: Operation not supported"
    ]


def test_the_compilers_log_file_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # $3 is the folder for what the compiler writes
    compiler = fake_compiler(tmp_path, f"cat >\"$3/model_edgetpu.log\" <<'END'\n{PARTLY}END", monkeypatch)
    assert len(compiler_findings(compiler, tmp_path / "model.tflite")) == 1


def test_a_compiler_that_fails_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    compiler = fake_compiler(tmp_path, "echo Internal compiler error. Aborting! >&2; exit 1", monkeypatch)
    (found,) = compiler_findings(compiler, tmp_path / "model.tflite")
    assert "exit code 1" in found and "Aborting" in found


def test_without_a_compiler_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_compiler() is None


def test_a_compiler_that_cannot_run_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def too_slow(*arguments: object, **options: object) -> None:
        raise subprocess.TimeoutExpired("edgetpu_compiler", 600)

    compiler = fake_compiler(tmp_path, "", monkeypatch)
    monkeypatch.setattr(subprocess, "run", too_slow)
    (found,) = compiler_findings(compiler, tmp_path / "model.tflite")
    assert "did not finish" in found
