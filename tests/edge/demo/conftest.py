"""The scene, which takes half a second to cut out of its portraits: once for all tests."""

import pytest

from edge.demo.scene import SceneCamera


@pytest.fixture(scope="session")
def camera():
    return SceneCamera(fps=5.0)
