"""`python -I -m edge.serve.web.try_picture [BUNDLE]`: judge the picture at standard input, for `edge.serve.web.upload`.

A process of its own, so that whatever a picture does to a decoder harms nobody else, and that the page's own process
stays small. It is last in line for the processor, and the first that the kernel ends when memory runs out. Standard
input must be a file that can be read twice, and may lie in memory. One JSON object comes out: the size in pixels of the
upright picture and its faces, boxes in pixels; or, with exit code 2, why there are none.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import msgspec

from edge.errors import MaskgateError

PICTURE = Path("/dev/stdin")
MOST_PIXELS = 25_000_000
MEMORY = 640 << 20
"""Bytes of data; 25 megapixels take half of that."""
CPU_SECONDS = 20


def main(bundle: Path | None) -> int:
    _limit()
    try:
        answer, code = _judge(bundle), 0
    except (MaskgateError, MemoryError) as error:
        answer, code = {"fault": explain(error)}, 2
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    return code


def explain(error: Exception) -> str:
    """An error for whoever sent the picture, who knows nothing of our files."""
    if "MAX_IMAGE_PIXELS" in str(error) or isinstance(error, MemoryError):
        return f"the picture has too many pixels; {MOST_PIXELS / 1e6:g} megapixels at most"
    return str(error).removeprefix(f"{PICTURE}: ")


def _limit() -> None:
    """Before any library is loaded that could need more."""
    os.nice(19)
    Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # OpenCV asks this of a picture's header, before it decodes
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(MOST_PIXELS)


def _judge(bundle: Path | None) -> dict[str, object]:
    from edge.contract import load_bundle
    from edge.detect import clipped
    from edge.judge import Judge
    from edge.picture import read_picture

    rgb = read_picture(PICTURE)
    faces = [clipped(face, rgb) for face in Judge.from_bundle(load_bundle(bundle)).judge(rgb)]
    height, width = rgb.shape[:2]
    told = [
        {"box": face.box, "label": face.classification.label, "score": round(face.classification.score, 3)}
        for face in faces
        if face is not None
    ]
    return {"width": width, "height": height, "faces": told}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
