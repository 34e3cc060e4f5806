import numpy as np
import pytest

from edge.buffers import Buffers


@pytest.fixture
def buffers():
    return Buffers()


def test_what_nobody_holds_is_used_again(buffers):
    first = buffers.free(4, 6)
    assert first.shape == (4, 6, 3) and first.dtype == np.uint8
    place = first.ctypes.data
    del first
    assert buffers.free(4, 6).ctypes.data == place


@pytest.mark.parametrize("part", [lambda array: array, lambda array: array[1:2, ::2], lambda array: memoryview(array)])
def test_what_is_held_even_in_part_is_left_alone(buffers, part):
    held = part(buffers.free(4, 6))
    assert not np.shares_memory(np.asarray(held), buffers.free(4, 6))


def test_as_many_are_held_as_somebody_needs(buffers):
    held = [buffers.free(4, 6) for _ in range(5)]
    places = {array.ctypes.data for array in held}
    assert len(places) == 5
    del held
    assert buffers.free(4, 6).ctypes.data in places


def test_another_size_gets_arrays_of_its_own(buffers):
    buffers.free(4, 6)
    assert buffers.free(2, 3).shape == (2, 3, 3)
