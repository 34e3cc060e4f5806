"""maskgate on the device: frames in, a lamp out. The only package that a device installs."""

__version__ = "0.1.0"
