"""The command `maskgate`: detect, run, serve, safe, replay, log, bundle, drift, bench and doctor."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge import __version__
from edge.errors import InputError, MaskgateError
from edge.update import KEYS

if TYPE_CHECKING:
    from edge.settings import Settings

NOT_WELL = 1
BAD_INPUT = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 1 for what was found wrong, 2 for bad input, 130 after Ctrl-C."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.command(arguments)
        return code
    except MaskgateError as error:
        print(f"maskgate: error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # whoever read our output has had enough, as in `maskgate ... | head`; nothing is left to flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="maskgate", description="Say whether the people in front of a camera wear their masks properly."
    )
    parser.add_argument("--version", action="version", version=f"maskgate {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    daily = _add_detect, _add_run, _add_serve, _add_safe, _add_replay
    for add in (*daily, _add_log, _add_bundles, _add_drift, _add_bench, _add_doctor):
        add(commands)
    return parser


def _add_detect(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("detect", help="judge the faces of pictures")
    command.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a picture, or a folder of pictures")
    command.add_argument("--csv", type=Path, metavar="FILE", help="write one row a face")
    command.add_argument("--draw", type=Path, metavar="DIR", help="write annotated pictures")
    _add_bundle(command)
    command.set_defaults(command=_detect)


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("run", help="watch a camera and drive the lamp, until stopped")
    _add_settings(command)
    _add_bundle(command)
    command.set_defaults(command=_run)


def _add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("serve", help="the status page, /metrics and MQTT, beside a daemon; until stopped")
    _add_settings(command)
    command.set_defaults(command=_serve)


def _add_safe(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("safe", help="drive every output line to its safe level, whatever ended the daemon")
    _add_settings(command)
    command.set_defaults(command=_safe)


def _add_replay(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("replay", help="decide over a video in its own time, as fast as it goes")
    command.add_argument("video", type=Path, metavar="VIDEO")
    command.add_argument(
        "--events", type=Path, required=True, metavar="FILE", help="write each change of state, JSON lines"
    )
    command.add_argument(
        "--zone", metavar="X,Y,X,Y,...", help="only faces in this polygon count; fractions of the frame"
    )
    _add_bundle(command)
    command.set_defaults(command=_replay)


def _add_log(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    actions = commands.add_parser("log", help="check an event log").add_subparsers(required=True, metavar="ACTION")
    verify = actions.add_parser(
        "verify",
        help="find what was edited, removed, inserted or cut off",
        description="Find what was edited, removed, inserted or cut off in an event log, with FILE.1 and FILE.head "
        "beside it. Exit code 0 when it is whole, 1 when not, one line a finding.",
        epilog="Whoever can write the log can also compute its whole chain and FILE.head anew; that cannot be told "
        "from the log alone. So note the head's hash, which is printed here, in another place from time to time: "
        "`grep HASH FILE FILE.1 FILE.head` must still find it, until the log has outgrown its cap twice.",
    )
    verify.add_argument("file", type=Path, metavar="FILE", help="such as events.jsonl")
    verify.set_defaults(command=_verify)


def _add_bundles(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    about = "install signed bundles and settings, and go back"
    actions = commands.add_parser("bundle", help=about).add_subparsers(required=True, metavar="ACTION")

    def add(name: str, about: str, *, source: bool = False) -> None:
        action = actions.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
        if source:
            action.add_argument("source", metavar="FILE|URL", help="a signed bundle, as `make sign` leaves it")
        _add_settings(action)
        action.add_argument(
            "--keys", type=Path, default=KEYS, metavar="DIR", help=f"public keys to trust; default {KEYS}"
        )
        action.set_defaults(command=_bundle, action=name)

    add("install", "verify, try and switch to a signed bundle; it stays if it does well", source=True)
    add("verify", "check signature, version and self-test of a signed bundle, and change nothing", source=True)
    add("list", "what is installed, what is in use, what is on trial")
    add("rollback", "go back to what was in use before")
    add("poll", "ask the fleet's index for something newer, and install it")
    add("watch", "watch what is on trial, and go back if the door does worse")


def _add_drift(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    about = "how unlike the normal ones the people at the door are, and what is normal"
    command = commands.add_parser("drift", help=about, description=f"{about[0].upper()}{about[1:]}.")
    command.add_argument(
        "action",
        nargs="?",
        choices=("show", "accept"),
        default="show",
        help="show each index (the default; exit code 1 on an alarm), or accept the last days' people as normal",
    )
    command.add_argument("--days", type=int, default=7, metavar="N", help="how many to accept, 1 to 31; default 7")
    _add_settings(command)
    command.set_defaults(command=_drift)


def _add_bench(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("bench", help="measure how fast this device is, on pictures made by code")
    command.add_argument("--json", action="store_true", help="for programs")
    command.add_argument(
        "--busy", action="store_true", help="count processor time, for a machine that does other things"
    )
    command.add_argument(
        "--frames", type=int, default=200, metavar="N", help="of each size and number of faces; default 200"
    )
    command.add_argument("--threads", type=int, default=1, metavar="N", help="cores for each network; default 1")
    _add_bundle(command)
    command.set_defaults(command=_bench)


def _add_doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("doctor", help="say what is wrong with this device, and how to mend it")
    _add_settings(command)
    command.add_argument("--keys", type=Path, default=KEYS, metavar="DIR", help="public keys to trust")
    command.add_argument("--json", action="store_true", help="for programs")
    command.set_defaults(command=_doctor)


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument("--config", type=Path, metavar="FILE", help="settings, TOML; without it the defaults")
    command.add_argument(
        "--store", type=Path, metavar="DIR", help="what `maskgate bundle` installed there goes before --config"
    )


def _add_bundle(command: argparse.ArgumentParser) -> None:
    command.add_argument("--bundle", type=Path, metavar="DIR", help="models; without it those that come with maskgate")


def _detect(arguments: argparse.Namespace) -> int:
    from edge.contract import load_bundle
    from edge.detect import detect
    from edge.judge import Judge

    judge = Judge.from_bundle(load_bundle(arguments.bundle), threads=os.cpu_count() or 1)
    return 0 if detect(arguments.paths, judge, arguments.csv, arguments.draw) else BAD_INPUT


def _run(arguments: argparse.Namespace) -> int:
    import msgspec

    from edge.daemon import run

    settings = _settings(arguments)
    if arguments.bundle is not None:
        model = msgspec.structs.replace(settings.model, bundle=str(arguments.bundle))
        settings = msgspec.structs.replace(settings, model=model)
    run(settings)
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    from edge.serve.command import serve

    serve(_settings(arguments))
    return 0


def _safe(arguments: argparse.Namespace) -> int:
    from edge.output import drive_safe
    from edge.update.store import settings_for_safety

    drive_safe(settings_for_safety(arguments.store, arguments.config).output)
    return 0


def _settings(arguments: argparse.Namespace) -> Settings:
    from edge.update.store import installed_settings

    return installed_settings(arguments.store, arguments.config)


def _bundle(arguments: argparse.Namespace) -> int:
    from edge.update.command import bundle

    return bundle(arguments)


def _drift(arguments: argparse.Namespace) -> int:
    from edge.drift_command import drift

    return drift(arguments)


def _bench(arguments: argparse.Namespace) -> int:
    from edge.bench.command import bench

    return bench(arguments)


def _doctor(arguments: argparse.Namespace) -> int:
    from edge.doctor.command import doctor

    return doctor(arguments)


def _replay(arguments: argparse.Namespace) -> int:
    from edge.daemon import replay

    zone = parse_zone(arguments.zone) if arguments.zone is not None else ()
    replay(arguments.video, arguments.events, zone, arguments.bundle)
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from edge.ledger import check

    report = check(arguments.file)
    print("\n".join(report.findings) or f"{arguments.file}: {report}")
    return NOT_WELL if report.findings else 0


def parse_zone(text: str) -> tuple[tuple[float, float], ...]:
    """The corners of "x,y,x,y,...", fractions of the frame. Raises InputError."""
    from edge.polygon import polygon_fault

    try:
        numbers = [float(number) for number in text.split(",")]
    except ValueError as error:
        raise InputError(f"--zone {text}: not numbers with commas between them, as in 0,0,1,0,1,0.5,0,0.5") from error
    if len(numbers) % 2:
        raise InputError(f"--zone {text}: {len(numbers)} numbers; each corner needs two, x and y")
    corners = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    if (fault := polygon_fault(corners)) is not None:
        raise InputError(f"--zone {text}: the zone {fault}")
    return corners


if __name__ == "__main__":
    sys.exit(main())
