"""Where a network's starting weights come from."""

from __future__ import annotations

from pathlib import Path

from edge.errors import InputError

YUNET_SOURCE = "yunet_n_dynamic.onnx of libfacedetection by ShiqiYu"


def find_weights(given: str, backbone: str, data: Path) -> str:
    """What `--weights` means: "none", "imagenet", or the path of a file.

    given: those, a file, a folder that holds a file for each backbone (mobilenet_0.5*.h5, *yunet*.onnx),
        or "auto": the folder weights/ in the data or beside it if it holds one, else "imagenet".
    """
    if given == "auto":
        return _in_folders([data / "weights", data.parent / "weights"], backbone) or _published(backbone)
    if given in ("none", "imagenet"):
        return given
    found = _in_folders([Path(given)], backbone) if Path(given).is_dir() else given
    if not found or not Path(found).is_file():
        raise InputError(f"--weights {given}: no file with weights for {backbone} there; imagenet, none or a file")
    return found


def _published(backbone: str) -> str:
    if backbone == "yunet":
        raise InputError(
            f"yunet starts from its public weights: put {YUNET_SOURCE} into a folder weights/ in or beside the data, "
            "or train another locator: python -m train locator --backbone mobilenet_0.25"
        )
    return "imagenet"


def _in_folders(folders: list[Path], backbone: str) -> str | None:
    files = [file for folder in folders for file in sorted(folder.glob(f"*{backbone}*")) if file.is_file()]
    return str(files[0]) if files else None
