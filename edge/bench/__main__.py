"""What `maskgate bench` measures, how it grows, and plots of both: for a workstation.

    python -m edge.bench [--out build/bench] [--hours 1] [--busy]

Prints the tables and takes some minutes. It leaves in the folder bench.md, bench.json, stages.png and growth.png.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.bench.command import FRAMES, Report, measured, tell
from edge.bench.growth import over_hours, with_faces, with_size
from edge.bench.tables import growth as growth_table
from edge.bench.tables import tables
from edge.contract import Bundle, load_bundle
from edge.errors import MaskgateError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the bench; returns the exit code: 0, or 2 for bad input."""
    arguments = _parser().parse_args(argv)
    try:
        bundle = load_bundle(arguments.bundle)
        found = measured(bundle, arguments.frames, busy=arguments.busy) | {"growth": grown(bundle, arguments.hours)}
    except MaskgateError as error:
        print(f"maskgate: error: {error}", file=sys.stderr)
        return 2
    print(text(found))
    write(arguments.out, found)
    print(f"\nnow look at {arguments.out}/stages.png and {arguments.out}/growth.png")
    return 0


def grown(bundle: Bundle, hours: float) -> Report:
    tell("growth with faces and size")
    report: Report = {"faces": with_faces(bundle), "sizes": with_size(bundle)}
    tell("growth over hours")
    report["hours"] = list(over_hours(bundle, hours))
    tell("")
    return report


def text(found: Report) -> str:
    """All tables, as Markdown."""
    return "\n".join([tables(found), "", *growth_table(found["growth"])])


def write(folder: Path, found: Report) -> None:
    # only a workstation has matplotlib
    from edge.bench.plots import growth, stages

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (folder / "bench.md").write_text(text(found) + "\n", encoding="utf-8")
    stages(folder / "stages.png", found["runs"])
    growth(folder / "growth.png", **found["growth"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m edge.bench", description="How fast the daemon is here, with plots."
    )
    parser.add_argument("--out", type=Path, default=Path("build/bench"), metavar="DIR")
    parser.add_argument("--hours", type=float, default=1.0, help="of the scene's own time; one takes some minutes")
    parser.add_argument("--frames", type=int, default=FRAMES, help="of each scene")
    parser.add_argument("--busy", action="store_true", help="tell processor time: the machine does other things")
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="models; without it those that come with maskgate")
    return parser


if __name__ == "__main__":
    sys.exit(main())
