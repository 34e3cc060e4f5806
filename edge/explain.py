"""msgspec's messages in our words: the key's dotted name, its value and what it must be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import inspect


def explain(message: str, raw: dict[str, Any], wanted: type, patterns: Mapping[str, str]) -> str:
    """The message of a ValidationError when `raw`, the tables of a TOML file, was converted to the type `wanted`.

    patterns: what each regular expression of that type means, for people.
    """
    what, _, place = message.partition(" - at `$")
    path = re.findall(r"[^.\[\]`]+", place)
    value, kind = _follow(path, raw, wanted)
    name = place.rstrip("`").lstrip(".")
    if missing := re.match(r"Object (contains unknown|missing required) field `(.*)`", what):
        full_name = f"{name}.{missing[2]}".lstrip(".")
        keys = ", ".join(field.encode_name for field in getattr(kind, "fields", ()))
        if missing[1] == "missing required":
            return f"{full_name} is missing"
        return f"{full_name} is no key of the settings; [{name}] has {keys}".replace("[]", "the file")
    return f"{name} is {shown(value)}; it must be {_describe(kind, patterns)}"


def _follow(path: list[str], raw: Any, wanted: type) -> tuple[Any, inspect.Type]:
    """The value at a path such as ["output", "line", "0"], and the type that it should have."""
    kind: inspect.Type = inspect.type_info(wanted)
    for step in path:
        raw = raw[int(step)] if isinstance(raw, list) else raw[step]
        match kind:
            case inspect.StructType(fields=fields):
                kind = next(field.type for field in fields if field.encode_name == step)
            case inspect.VarTupleType(item_type=item):
                kind = item
            case inspect.TupleType(item_types=items):
                kind = items[int(step)]
    return raw, kind


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _describe(kind: inspect.Type, patterns: Mapping[str, str]) -> str:
    match kind:
        case inspect.FloatType(ge=least, le=most):
            return f"a number from {least:g} to {most:g}"
        case inspect.IntType(ge=least, le=most):
            return f"a whole number from {least} to {most}"
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(sorted(map(str, values)))}"
        case inspect.BoolType():
            return "true or false"
        case inspect.StrType(pattern=str(pattern)):
            return patterns[pattern]
        case inspect.StrType(min_length=least):
            return "a text, not empty" if least else "a text"
        case inspect.TupleType(item_types=items):
            return f"a list of {len(items)} numbers"
        case inspect.VarTupleType(min_length=least):
            return "a list, not empty" if least else "a list"
        case _:
            return "a table of keys"
