"""The built-in demo: the real daemon and models on a built-in scene, with simulated outputs.

    python -m edge.demo [--out build/demo]

Prints the decisions as they happen and takes about ten seconds. It leaves in the folder: annotated.mp4 (boxes, state
and reason), timeline.png (states, votes and lamps over time), events.jsonl and outputs.jsonl.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from edge.errors import InputError, MaskgateError

PACKAGES = {"matplotlib": "matplotlib", "skimage": "scikit-image", "sklearn": "scikit-learn"}
"""What the extra `demo` brings: the module's name and the package's."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit code: 0, or 2 for bad input."""
    arguments = _parser().parse_args(argv)
    try:
        check_packages()
        _demo(arguments)
    except MaskgateError as error:
        print(f"maskgate: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def check_packages(packages: dict[str, str] = PACKAGES) -> None:
    """Raises InputError when a package that makes the scene is not installed."""
    if missing := [package for module, package in packages.items() if find_spec(module) is None]:
        raise InputError(f"the demo needs {', '.join(missing)}; pip install 'maskgate[demo]'")


def _demo(arguments: argparse.Namespace) -> None:
    # after the check that they are there
    from edge.contract import load_bundle
    from edge.demo.play import play
    from edge.demo.scene import SceneCamera
    from edge.judge import Judge

    bundle = load_bundle(arguments.bundle)
    camera = SceneCamera(arguments.fps)
    print(f"bundle {bundle.contract.name} {bundle.contract.version}, {len(camera)} frames of the built-in scene")
    decisions = play(camera, Judge.from_bundle(bundle, threads=2), arguments.out)
    print(f"{len(decisions)} decisions; now look at {arguments.out}/timeline.png and {arguments.out}/annotated.mp4")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m edge.demo", description="Run the daemon on a built-in scene.")
    parser.add_argument(
        "--out", type=Path, default=Path("build/demo"), metavar="DIR", help="where the video and the pictures go"
    )
    parser.add_argument("--fps", type=frame_rate, default=25.0, help="frames a second of the scene, 5 to 60")
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="models; without it those that come with maskgate")
    return parser


def frame_rate(text: str) -> float:
    if not 5 <= (rate := float(text)) <= 60:
        raise argparse.ArgumentTypeError(f"{text} is not from 5 to 60")
    return rate


if __name__ == "__main__":
    sys.exit(main())
