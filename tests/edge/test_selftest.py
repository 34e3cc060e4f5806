import shutil
import zipfile

import msgspec
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge.contract import CONTRACT_FILE, Bundle, ModelFile, load_bundle, sha256
from edge.errors import BundleError, ModelError
from edge.interpreter import PLAIN, Network, networks
from edge.selftest import OUTPUTS_OF, answers_to, apart, read_golden, self_test, too_far

NETWORKS = sorted(OUTPUTS_OF)
FLIPS = 50


@pytest.fixture
def copy(tmp_path):
    """The shipped bundle, to be broken; nobody checks its sums any more."""
    shipped = load_bundle()
    return Bundle(shutil.copytree(shipped.folder, tmp_path / "bundle"), shipped.contract)


@pytest.fixture(scope="module")
def golden():
    return read_golden(load_bundle())


def weights(model: bytes, layer: int) -> slice:
    """Where the weights of a convolution lie in a .tflite file."""
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    (graph,) = parsed.subgraphs
    kinds = schema.Conv2DOptionsT, schema.DepthwiseConv2DOptionsT
    tensors = [each.inputs[1] for each in graph.operators if isinstance(each.builtinOptions, kinds)]
    content = bytes(parsed.buffers[graph.tensors[tensors[layer]].buffer].data)
    assert model.count(content) == 1
    return slice(model.index(content), model.index(content) + len(content))


def altered(bundle, name, change):
    """The bundle with another model: `change` gets its bytes, int8, and may alter them."""
    file = bundle.folder / f"{name}.tflite"
    model = np.frombuffer(bytearray(file.read_bytes()), np.int8)
    change(model, lambda layer: weights(model.tobytes(), layer))
    file.write_bytes(model.tobytes())
    return bundle


def with_golden(bundle, **changes):
    """The bundle with other golden arrays; None leaves one out."""
    arrays = {**read_golden(bundle), **changes}
    kept = {name: array for name, array in arrays.items() if array is not None}
    np.savez_compressed(bundle.folder / "golden.npz", **kept)
    return bundle


def test_the_shipped_bundle_does_well_here():
    self_test(load_bundle())


def test_golden_pictures_take_little_room():
    assert (load_bundle().folder / "golden.npz").stat().st_size < 200_000


@pytest.mark.parametrize("threads", [1, 4])
def test_kernels_that_round_otherwise_do_well_too(golden, threads):
    for name, network in zip(OUTPUTS_OF, networks(load_bundle(), threads, PLAIN), strict=True):
        for output, answer in zip(OUTPUTS_OF[name], answers_to(network, golden[f"{name}_pictures"]), strict=True):
            right = golden[f"{name}_{output}"]
            assert (answer != right).any()
            assert too_far(answer, right, golden[f"{name}_{output}_rounding"]) is None


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_tell_the_golden_pictures_apart(golden, name):
    for output in OUTPUTS_OF[name]:
        answers = golden[f"{name}_{output}"].reshape(len(golden[f"{name}_pictures"]), -1)
        assert answers.std() > 5
        # noise has no faces, wherever it lies
        assert len(np.unique(answers, axis=0)) >= (4 if output == "scores" else len(answers))


@pytest.mark.parametrize("name", NETWORKS)
def test_swapped_weights_are_found(copy, name):
    def swap(model, where):
        some = where(3)
        model[some] = model[some][::-1].copy()

    with pytest.raises(BundleError, match=rf"the {name} does not answer as it should here: .* steps off on average"):
        self_test(altered(copy, name, swap))


@pytest.mark.parametrize("name", NETWORKS)
def test_another_model_of_the_same_shape_is_found(copy, name):
    def train_anew(model, where):
        for layer in range(12):
            model[where(layer)] = np.random.default_rng(layer).permutation(model[where(layer)])

    with pytest.raises(BundleError, match=f"the {name} does not answer"):
        self_test(altered(copy, name, train_anew))


@pytest.mark.parametrize("name", NETWORKS)
def test_pictures_that_are_fed_otherwise_are_found(golden, name):
    network = dict(zip(OUTPUTS_OF, networks(load_bundle()), strict=True))[name]
    pictures = golden[f"{name}_pictures"]
    for wrong in (pictures // 2, pictures[..., ::-1], pictures ^ 128, pictures[:, ::-1]):
        answers = dict(zip(OUTPUTS_OF[name], answers_to(network, wrong), strict=True))
        found = [too_far(answers[o], golden[f"{name}_{o}"], golden[f"{name}_{o}_rounding"]) for o in answers]
        assert any(found)


@pytest.mark.parametrize("name", NETWORKS)
def test_many_single_bytes_that_flip_early_on_are_found(copy, golden, name):
    """Those that are not change the answers by no more than another processor's rounding does, or not at all."""
    part, file = getattr(copy.contract, name), copy.folder / f"{name}.tflite"
    outputs = [getattr(part, output) for output in OUTPUTS_OF[name]]
    model = file.read_bytes()
    where = weights(model, 2)
    caught = 0
    for seed in range(FLIPS):
        broken = bytearray(model)
        broken[np.random.default_rng(seed).integers(where.start, where.stop)] ^= 0x80
        file.write_bytes(broken)
        answers = answers_to(Network(file, part.input, outputs), golden[f"{name}_pictures"])
        pairs = zip(OUTPUTS_OF[name], answers, strict=True)
        caught += any(too_far(a, golden[f"{name}_{o}"], golden[f"{name}_{o}_rounding"]) for o, a in pairs)
    assert caught >= 15


def test_a_network_that_answers_the_same_whatever_it_sees_is_found(copy, monkeypatch):
    def blind(self, rgb):
        raise ModelError("locator.tflite: gives the same answer whatever it sees")

    monkeypatch.setattr(Network, "answer", blind)
    with pytest.raises(BundleError, match="gives the same answer whatever it sees"):
        self_test(copy)


def test_a_bundle_without_golden_pictures_cannot_be_tested(copy):
    bare = Bundle(copy.folder, msgspec.structs.replace(copy.contract, golden=None))
    with pytest.raises(BundleError, match="has nothing to test itself with"):
        self_test(bare)


@pytest.mark.parametrize(
    "changes",
    [
        {"locator_boxes": None},
        {"classifier_logits_rounding": None},
        {"classifier_pictures": np.zeros((10, 64, 64, 3), np.uint8)},
        {"classifier_pictures": np.zeros((0, 128, 128, 3), np.uint8), "classifier_logits": np.zeros((0, 4), np.int8)},
        {"classifier_logits": np.zeros((9, 4), np.int8)},
        {"classifier_logits": np.zeros((10, 4), np.float32)},
        {"classifier_logits_rounding": np.array([np.nan, 0.1])},
        {"locator_pictures": np.array(3, np.uint8)},
    ],
)
def test_golden_arrays_that_do_not_fit_the_networks_are_refused(copy, changes):
    with pytest.raises(BundleError, match=r"golden.npz: no pictures and answers for these networks"):
        self_test(with_golden(copy, **changes))


def truncated(file):
    file.write_bytes(file.read_bytes()[:-5000])


def damaged(file):
    content = bytearray(file.read_bytes())
    content[20_000:20_100] = bytes(100)
    file.write_bytes(content)


def no_archive(file):
    file.write_bytes(b"golden")


def empty(file):
    file.write_bytes(b"")


def one_array(file):
    with file.open("wb") as out:
        np.save(out, np.zeros(3))


def no_arrays(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("locator_pictures.npy", "no array")


def pickled(file):
    np.savez(file, locator_pictures=np.array([{}], dtype=object))


def absent(file):
    file.unlink()


@pytest.mark.parametrize("harm", [truncated, damaged, no_archive, empty, one_array, no_arrays, pickled, absent])
def test_a_broken_golden_file_is_refused(copy, harm):
    harm(copy.folder / "golden.npz")
    with pytest.raises(BundleError, match=r"golden.npz: no pictures and answers for these networks"):
        self_test(copy)


def test_a_golden_file_with_another_sum_is_refused_with_the_bundle(copy):
    contract = msgspec.structs.replace(copy.contract, golden=ModelFile("golden.npz", sha256(copy.locator_file)))
    (copy.folder / CONTRACT_FILE).write_bytes(msgspec.json.encode(contract))
    with pytest.raises(BundleError, match=r"golden.npz was altered"):
        load_bundle(copy.folder)


def test_steps_apart_are_counted_on_average_and_to_one_side():
    some, others = np.array([[[-128, 5], [0, 5]]], np.int8), np.array([[[127, 5], [-3, 6]]], np.int8)
    assert apart(some, others).tolist() == [(255 + 3 + 1) / 4, 126.0]
