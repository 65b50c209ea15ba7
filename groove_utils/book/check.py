"""Compare the values that the book reports with expected values."""

from __future__ import annotations

import json
from pathlib import Path

from groove_utils.files import write_if_changed

__all__ = ["compare_values", "write_expected"]


def tolerance_of(entry: dict) -> float:
    """Return the tolerance for a value: the largest accepted deviation from the expected value.

    A ``tolerance`` specified by the chapter takes precedence. The default is 5% of the value or
    half the width of its 95% interval, whichever is smaller, but at least 1e-6.
    """
    if entry.get("tolerance") is not None:
        return float(entry["tolerance"])
    bounds = [0.05 * abs(entry["value"])]
    if entry.get("low") is not None:
        bounds.append((entry["high"] - entry["low"]) / 2)
    return max(min(bounds), 1e-6)


def compare_values(values: dict[str, dict], expected: dict[str, dict]) -> list[str]:
    """List the differences between reported and expected values.

    Parameters
    ----------
    values, expected : dict of str to dict
        Reported and expected values by name, in the formats of ``values.json`` and
        ``analysis/expected/demo.json``, respectively.

    Returns
    -------
    list of str
        One line per value that has changed, is missing, or is new.
    """
    lines = []
    for name in sorted(set(values) | set(expected)):
        if name not in values:
            lines.append(f"{name}: expected, but no chapter reports it")
        elif name not in expected:
            lines.append(f"{name}: reported, but analysis/expected/demo.json does not contain it")
        elif difference := _difference(values[name], expected[name]):
            lines.append(f"{name}: {difference}")
    return lines


def _difference(reported: dict, expected: dict) -> str | None:
    kinds = ["a number" if "value" in entry else "text" for entry in (reported, expected)]
    if kinds[0] != kinds[1]:
        return f"{kinds[0]}, expected {kinds[1]}"
    if "value" not in expected:
        text, varies = reported["text"], expected.get("varies", [])
        if varies is True or text in (expected["text"], *varies):
            return None
        return f"“{text}”, expected “{expected['text']}”"
    value, target, tolerance = reported["value"], expected["value"], expected["tolerance"]
    if abs(value - target) <= tolerance:  # false for NaN
        return None
    return f"{value:.6g}, expected {target:.6g} ± {tolerance:.3g}"


def write_expected(values: dict[str, dict], path: Path) -> None:
    """Save reported values to `path` as expected values, with a tolerance for each number."""
    expected = {
        name: {"value": _rounded(entry), "tolerance": tolerance_of(entry)}
        if "value" in entry
        else {key: entry[key] for key in ("text", "varies") if key in entry}
        for name, entry in sorted(values.items())
    }
    write_if_changed(path, json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


def _rounded(entry: dict) -> float:
    # six significant digits, unless the tolerance requires more
    short = float(f"{entry['value']:.6g}")
    return short if abs(short - entry["value"]) <= tolerance_of(entry) / 10 else entry["value"]
