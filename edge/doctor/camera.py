"""The camera: whether frames arrive, how fast, and whether there is something to see in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.doctor.finding import Finding, fail, ok, refused, warn
from edge.doctor.machine import Machine
from edge.doctor.service import Service

if TYPE_CHECKING:
    from edge.camera import Camera
    from edge.health import Picture
    from edge.settings import HealthSettings, Settings
    from edge.values import Frame, Rgb

SECONDS = 2.0
LEAST_RATE = 2.0
"""Frames a second; with frames further apart nobody is ever allowed."""
NEAR_RATE = 0.8
"""Of the rate asked for."""
NOT_CAMERAS = ("bcm2835-", "rpi-", "rpivid", "pispbe", "rp1-", "unicam", "hevc")
"""Names of the video devices that a Raspberry Pi has without any camera."""
DARK, BRIGHT = 40.0, 215.0
"""Mean of all grey levels, 0 to 255."""
LOW, HIGH = 5, 250
"""Grey levels up to which, and from which on, a pixel is clipped."""
CLIPPED = 0.4
BLURRED = 0.6
"""Sharpness, see `Look`. Of 22 photographs with noise: 1 to 2; blurred by 6 of 1280 pixels: 0.3 to 0.7."""


@dataclass(frozen=True)
class Light:
    """mean: of the grey levels, 0 to 255. black, white: fractions of the picture that are clipped."""

    mean: float
    black: float
    white: float


def usb_cameras(machine: Machine) -> list[str]:
    """Cameras that need no picamera2, such as "/dev/video0 (HD Webcam)"."""
    found = []
    for path in machine.find("sys/class/video4linux/video*/name"):
        name = machine.text(str(path.relative_to(machine.root)))
        if not name.startswith(NOT_CAMERAS):
            found.append(f"/dev/{path.parent.name} ({name})")
    return found


def camera(settings: Settings, service: Service, open_camera: Callable[[], Camera] | None = None) -> list[Finding]:
    """What two seconds of the camera's frames are like; while the service has it, what that says of them."""
    if service.active:
        return [_of_service(settings, service)]
    from edge.camera import open_camera as open_named
    from edge.errors import MaskgateError

    try:
        with (open_camera or (lambda: open_named(settings.camera)))() as source:
            look = watch(source, settings.health)
    except MaskgateError as error:
        return [_absent(refused("camera", str(error)))]
    return _findings(settings, look)


def _findings(settings: Settings, look: Look) -> list[Finding]:
    if look.count < 2:
        return [fail("camera", f"{settings.camera.source}: {look.count} frame(s) alone", CABLE)]
    found = f"{settings.camera.source}: {look.size}, {look.rate:.1f} frames/s"
    arriving = _slow(settings, look.rate, found) or ok("camera", found)
    if look.fault:
        return [arriving, fail("picture", look.fault, "look at the camera: its lens, cover, light and cable")]
    return [arriving, exposure(look.light), focus(look.sharpness)]


CABLE = "check its cable, its power, and that no other program uses it: `sudo fuser -v /dev/video*`"
FIND = (
    "for a camera on the ribbon cable `sudo apt install python3-picamera2 rpicam-apps`, then `rpicam-hello "
    "--list-cameras` must name it; a USB camera must be in `ls /dev/video*`"
)


def _absent(finding: Finding) -> Finding:
    return fail("camera", finding.found, FIND) if "no camera" in finding.found else finding


class Look:
    """What some seconds of frames were like. Frames are not kept: thirty of them fill a small board's memory."""

    def __init__(self, settings: HealthSettings) -> None:
        import numpy as np

        from edge.health import COLUMNS, ROWS, FrameHealth

        self.count = 0
        self.seconds = 0.0
        self.size = ""
        self.fault: str | None = None
        self.light = Light(0.0, 0.0, 0.0)
        self._health = FrameHealth(settings)
        self._first: float | None = None
        self._before: Picture | None = None
        self._detail, self._edges = np.zeros((2, ROWS, COLUMNS), np.float32)

    def add(self, frame: Frame) -> None:
        """The next frame."""
        self._first = frame.time if self._first is None else self._first
        self.count += 1
        self.seconds = frame.time - self._first
        self.size = "x".join(str(side) for side in frame.rgb.shape[1::-1])
        self.fault = self._health.check(frame) or self.fault
        self.light = light_of(frame.rgb)
        self._compare(frame)

    def _compare(self, frame: Frame) -> None:
        from edge.health import View, compare, picture_of

        picture = picture_of(frame.rgb)
        blocks = compare(picture, self._before or picture, View())
        if self._before is not None:
            self._detail += blocks.detail
            self._edges += blocks.edges
        self._before = picture

    @property
    def rate(self) -> float:
        """Frames a second."""
        return (self.count - 1) / self.seconds

    @property
    def sharpness(self) -> float | None:
        """Fine detail over edges, of what pictures have in common with the ones before, so that noise is none.

        About 1 to 2 for a sharp picture; None where there is too little to see to tell.
        """
        from edge.health import LEAST_SEEN, PLAIN

        seen = self._edges > PLAIN**2 * (self.count - 1)
        if seen.sum() < LEAST_SEEN:
            return None
        return float(max(0.0, self._detail[seen].sum() / self._edges[seen].sum()) ** 0.5)


def watch(source: Camera, settings: HealthSettings, seconds: float = SECONDS) -> Look:
    """What so many seconds of a camera's frames, of their own clock, are like."""
    look = Look(settings)
    for frame in source.frames():
        look.add(frame)
        if look.seconds >= seconds:
            break
    return look


def _of_service(settings: Settings, service: Service) -> Finding:
    if service.in_fault:
        return fail("camera", f"the service has it, in FAULT: {service.in_fault}", "what the service says below")
    if service.pace is None:
        return ok("camera", "the service has it, and has not said yet how fast it is; ask again in 10 s")
    found = f"the service has it, and judges {service.pace.frames_per_second:.1f} frames/s"
    if service.idle and service.pace.frames_per_second >= LEAST_RATE:
        return ok("camera", f"{found}, with nobody there")
    return _slow(settings, service.pace.frames_per_second, found) or ok("camera", found)


def _slow(settings: Settings, rate: float, found: str) -> Finding | None:
    asked = settings.camera.frames_per_second
    if rate < LEAST_RATE:
        return fail("camera", f"{found}: below {LEAST_RATE:g} nobody is allowed", CABLE)
    if rate < NEAR_RATE * asked:
        lower = "more light lets it expose for a shorter time; else lower camera.width, height or frames_per_second"
        return warn("camera", f"{found}, of {asked:g} asked for", f"{lower} (`sudoedit /etc/maskgate/door.toml`)")
    return None


def light_of(rgb: Rgb) -> Light:
    """Of a picture, uint8 (H, W, 3); its green stands for grey."""
    grey = rgb[::4, ::4, 1]
    return Light(float(grey.mean()), float((grey <= LOW).mean()), float((grey >= HIGH).mean()))


def exposure(light: Light) -> Finding:
    """Whether a picture of this light shows faces."""
    found = f"mean {light.mean:.0f} of 255, {light.black:.0%} black, {light.white:.0%} white"
    if light.mean < DARK or light.black > CLIPPED:
        return warn("exposure", f"too dark: {found}", "light the faces from the camera's side")
    if light.mean > BRIGHT or light.white > CLIPPED:
        return warn("exposure", f"too bright: {found}", "turn the camera away from windows and lamps")
    return ok("exposure", found)


def focus(sharpness: float | None) -> Finding:
    """Whether pictures of this `Look.sharpness` show noses and chins."""
    if sharpness is None:
        return ok("focus", "cannot be told: the view has hardly any structure")
    found = f"sharpness {sharpness:.2f}, a sharp picture has 1 or more"
    if sharpness < BLURRED:
        return warn("focus", f"blurred: {found}", "focus the lens on a face at the door, and wipe it")
    return ok("focus", found)
