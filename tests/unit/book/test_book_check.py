"""Values that differ by more than their tolerance are listed."""

import json

import pytest

from groove_utils.book.__main__ import main
from groove_utils.book.check import compare_values, tolerance_of, write_expected


def value(number, low=None, high=None, tolerance=None):
    return {"value": number, "low": low, "high": high, "tolerance": tolerance, "text": "x"}


@pytest.mark.parametrize(
    ("entry", "allowed"),
    [
        (value(2.0), 0.1),
        (value(-2.0), 0.1),
        (value(2.0, 1.95, 2.05), 0.05),
        (value(2.0, 0, 4), 0.1),
        (value(2.0, tolerance=0.5), 0.5),
        (value(2.0, 1.95, 2.05, tolerance=0), 0),
        (value(0.0), 1e-6),
    ],
)
def test_tolerances(entry, allowed):
    assert tolerance_of(entry) == pytest.approx(allowed)


def expected_of(values, tmp_path):
    write_expected(values, tmp_path / "expected.json")
    return json.loads((tmp_path / "expected.json").read_text())


@pytest.mark.parametrize("number", [1234567, 0.1234567891, -3e-9, 0, 96, 1e12 / 7])
@pytest.mark.parametrize("tolerance", [None, 0, 1e-9])
def test_values_agree_with_themselves(tmp_path, number, tolerance):
    values = {"a": value(number, tolerance=tolerance), "b": {"text": "yes", "full": "yes"}}
    assert compare_values(values, expected_of(values, tmp_path)) == []


def test_what_differs_is_named(tmp_path):
    values = {"a": value(1.0), "b": {"text": "yes"}, "c": value(3.0), "d": value(4.0)}
    expected = expected_of(values, tmp_path)
    assert compare_values({**values, "a": value(1.049)}, expected) == []
    assert compare_values({**values, "a": value(1.06)}, expected) == ["a: 1.06, expected 1 ± 0.05"]
    assert compare_values({**values, "a": value(float("nan"))}, expected) == [
        "a: nan, expected 1 ± 0.05"
    ]
    assert compare_values({**values, "b": {"text": "no"}}, expected) == ["b: “no”, expected “yes”"]
    assert compare_values({**values, "b": value(1.0)}, expected) == ["b: a number, expected text"]
    assert compare_values({**values, "a": {"text": "1"}}, expected) == [
        "a: text, expected a number"
    ]
    del values["c"]
    values["e"] = value(5.0)
    differences = compare_values(values, expected)
    assert differences[0] == "c: expected, but no chapter reports it"
    assert differences[1].startswith("e: reported, but")
    assert len(differences) == 2


def test_texts_that_vary_between_machines(tmp_path):
    values = {"any": {"text": "a", "varies": True}, "one": {"text": "yes", "varies": ["yes", "no"]}}
    expected = expected_of(values, tmp_path)
    assert compare_values({"any": {"text": "b"}, "one": {"text": "no"}}, expected) == []
    assert compare_values({"any": {"text": "b"}, "one": {"text": "perhaps"}}, expected) == [
        "one: “perhaps”, expected “yes”"
    ]


def test_the_command(tmp_path, capsys):
    values, expected = tmp_path / "values.json", tmp_path / "expected.json"
    values.write_text(json.dumps({"01.songs": value(96.0)}))
    assert main(["check", "--update", "--values", str(values), str(expected)]) == 0
    assert main(["check", "--values", str(values), str(expected)]) == 0
    values.write_text(json.dumps({"01.songs": value(80.0)}))
    assert main(["check", "--values", str(values), str(expected)]) == 1
    assert "01.songs: 80, expected 96 ± 4.8" in capsys.readouterr().err
