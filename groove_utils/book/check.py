"""Hold the values that the book reports against the expected ones."""

from __future__ import annotations

import json
from pathlib import Path

from groove_utils.files import write_if_changed

__all__ = ["compare_values", "write_expected"]


def tolerance_of(entry: dict) -> float:
    """Largest absolute deviation that a reported value may show.

    Its own ``tolerance`` where the chapter stated one; else 5% of the value, or half the width
    of its 95% interval where that is less; at least 1e-6.
    """
    if entry.get("tolerance") is not None:
        return float(entry["tolerance"])
    bounds = [0.05 * abs(entry["value"])]
    if entry.get("low") is not None:
        bounds.append((entry["high"] - entry["low"]) / 2)
    return max(min(bounds), 1e-6)


def compare_values(values: dict[str, dict], expected: dict[str, dict]) -> list[str]:
    """What differs between reported and expected values; empty when all is well.

    Parameters
    ----------
    values, expected : dict
        As in ``values.json`` and ``analysis/expected/demo.json``.

    Returns
    -------
    list of str
        A line for each value that drifted, is missing, or is new.
    """
    complaints = []
    for name in sorted(set(values) | set(expected)):
        if name not in values:
            complaints.append(f"{name}: expected, but no chapter reports it")
        elif name not in expected:
            complaints.append(f"{name}: reported, but analysis/expected/demo.json does not hold it")
        elif ("value" in values[name]) != ("value" in expected[name]):
            kinds = ["a text", "a number"]
            found, wanted = ("value" in entry for entry in (values[name], expected[name]))
            complaints.append(f"{name}: {kinds[found]}, expected {kinds[wanted]}")
        elif "value" not in expected[name]:
            if values[name]["text"] != expected[name]["text"]:
                complaints.append(
                    f"{name}: «{values[name]['text']}», expected «{expected[name]['text']}»"
                )
        else:
            found, wanted = values[name]["value"], expected[name]["value"]
            allowed = expected[name]["tolerance"]
            if not abs(found - wanted) <= allowed:
                complaints.append(f"{name}: {found:.6g}, expected {wanted:.6g} ± {allowed:.3g}")
    return complaints


def write_expected(values: dict[str, dict], path: Path) -> None:
    """Make today's values the expected ones, each with its tolerance."""
    expected = {
        name: {"value": _rounded(entry), "tolerance": tolerance_of(entry)}
        if "value" in entry
        else {"text": entry["text"]}
        for name, entry in sorted(values.items())
    }
    write_if_changed(path, json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


def _rounded(entry: dict) -> float:
    # six figures read well in a diff, where the tolerance does not ask for more
    short = float(f"{entry['value']:.6g}")
    return short if abs(short - entry["value"]) <= tolerance_of(entry) / 10 else entry["value"]
