"""Bundles and settings over the air, and where the package has them on a device."""

from pathlib import Path

CONFIG, STORE, KEYS = Path("/etc/maskgate/door.toml"), Path("/var/lib/maskgate-store"), Path("/etc/maskgate/keys")
"""The service's settings, what was installed over the air, and the public keys to trust."""
