"""On a virtual Pi 3B, with the Pi's own GPIO driver, the daemon is killed while it allows; seen from outside the Pi."""

from __future__ import annotations

import signal
import time

from checks import Facts, run
from probe import daemon


def killed_on_a_pi(chip: None) -> Facts:
    with daemon("auto", "pacing.avi") as running:
        running.wait_for("ALLOW")
        # the observer outside has no hurry
        time.sleep(1)
        facts = running.end(signal.SIGKILL)
        time.sleep(1)
    return facts


if __name__ == "__main__":
    run({"killed_on_a_pi": killed_on_a_pi}, None)
