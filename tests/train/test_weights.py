import pytest

from edge.errors import InputError
from train.weights import find_weights


def test_weights_are_taken_from_the_folder_beside_the_data(tmp_path):
    file = tmp_path / "weights" / "mobilenet_0.5_imagenet_notop.weights.h5"
    file.parent.mkdir()
    file.touch()
    assert find_weights("auto", "mobilenet_0.5", tmp_path / "data") == str(file)
    assert find_weights("auto", "mobilenet_0.25", tmp_path / "data") == "imagenet"
    assert find_weights(str(file.parent), "mobilenet_0.5", tmp_path) == str(file)


def test_yunet_without_its_file_says_where_it_comes_from(tmp_path):
    with pytest.raises(InputError, match=r"put yunet_n_dynamic\.onnx .*into a folder weights/"):
        find_weights("auto", "yunet", tmp_path)


@pytest.mark.parametrize("given", ["none", "imagenet"])
def test_none_and_imagenet_are_passed_on(given, tmp_path):
    assert find_weights(given, "mobilenet_0.5", tmp_path) == given


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"--weights .*nowhere\.h5"):
        find_weights(str(tmp_path / "nowhere.h5"), "mobilenet_0.5", tmp_path)
