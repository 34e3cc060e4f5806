"""What can go wrong, one class a kind; each message is one line that names the thing, the value and the remedy.

MaskgateError
├── InputError      a file or folder given by the user cannot be used
├── SettingsError   a settings file holds a wrong key, type or value
├── BundleError     the model bundle is incomplete, altered or does not fit this program
├── ModelError      a model gives what no healthy one would
├── CameraError     the camera is absent, or stopped giving frames
└── OutputError     an output line cannot be had or driven
"""


class MaskgateError(Exception):
    """Base of all errors that end in one line on the terminal and exit code 2."""


class InputError(MaskgateError, ValueError):
    """A file or folder given by the user cannot be used."""


class SettingsError(MaskgateError, ValueError):
    """A settings file holds a wrong key, type or value."""


class BundleError(MaskgateError, ValueError):
    """The model bundle is incomplete, altered or does not fit this program."""


class ModelError(MaskgateError, ArithmeticError):
    """A model gives what no healthy one would."""


class CameraError(MaskgateError, OSError):
    """The camera is absent, or stopped giving frames."""


class OutputError(MaskgateError, OSError):
    """An output line cannot be had or driven."""


def in_one_line(error: Exception) -> str:
    """An error for people: our own ones speak for themselves, others are named too."""
    text = " ".join(str(error).split())
    return text if isinstance(error, MaskgateError) else f"{type(error).__name__}: {text}"
