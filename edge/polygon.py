"""Whether the corners of a zone make a polygon."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

Point = tuple[float, float]
Edge = tuple[Point, Point]
LEAST_AREA = 0.001
"""The smallest zone, as a fraction of the frame's area."""


def polygon_fault(polygon: Sequence[Point]) -> str | None:
    """What is wrong with a zone of corners (x, y) in fractions of the frame; None when nothing, or when it is empty."""
    if not polygon:
        return None
    if len(polygon) < 3:
        return f"has {len(polygon)} corner(s); it must have at least 3"
    for x, y in polygon:
        if not (0 <= x <= 1 and 0 <= y <= 1):
            return f"has the corner {x:g}, {y:g}; x and y must be from 0 to 1, fractions of the frame"
    if len(set(polygon)) < len(polygon):
        return "names a corner twice; give each once, the last is joined to the first"
    edges = list(zip(polygon, [*polygon[1:], polygon[0]], strict=True))
    for one, other in combinations(edges, 2):
        if not set(one) & set(other) and _meet(one, other):
            return f"has edges that cross: {_text(one)} and {_text(other)}; give the corners in order around the zone"
    area = abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in edges)) / 2
    if area < LEAST_AREA:
        return f"covers {area:.2g} of the frame; it must cover at least {LEAST_AREA:g}"
    return None


def _meet(one: Edge, other: Edge) -> bool:
    """Whether two edges share a point."""
    (a, b), (c, d) = one, other
    near = all(min(a[k], b[k]) <= max(c[k], d[k]) and min(c[k], d[k]) <= max(a[k], b[k]) for k in (0, 1))
    return near and _side(a, b, c) * _side(a, b, d) <= 0 and _side(c, d, a) * _side(c, d, b) <= 0


def _side(a: Point, b: Point, c: Point) -> float:
    """Positive when c lies left of the line from a to b, negative on the right, 0 on it."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _text(edge: Edge) -> str:
    return " - ".join(f"({x:g}, {y:g})" for x, y in edge)
