"""Tables of results on the page about the demo study."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from groove_utils.book.demo_results import demo_results

EXPECTED = Path(__file__).parents[3] / "analysis" / "expected"
SEEDS = """# made by make bench-demo on 2026-01-02
method,target,truth,n,found,missed,falsely_found,low,high,covered,covered_low,covered_high
regression,groove: event density,present,10,9,1,0,0.555,0.997,0.9,0.555,0.997
noise ceiling,groove: R²,value,10,,,,,,0.95,0.6,1.0
noise ceiling,placebo: R²,value,10,,,,,,0.9,0.6,1.0
permutation,placebo: style,absent,10,0,0,1,0.003,0.445,,,
permutation,style_only: style,present,10,8,2,0,0.444,0.975,,,
msd-musicnn,tempo,unknown,10,2,7,1,0.025,0.556,,,
"""
TAGS = """# made by make bench-demo on 2026-01-02
tagger,style,highest tags,place of the style's own tag
msd-musicnn,funk,"funk 0.30, 80s 0.20",1
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "demo_seeds.csv").write_text(SEEDS)
    (tmp_path / "demo_tags.csv").write_text(TAGS)
    return tmp_path


def cells(table):
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]


def test_each_row_is_in_the_table_of_its_kind(folder):
    results = demo_results(folder)
    head, _, *rows = cells(results["effects"])
    assert [row[0] for row in rows] == ["regression", "noise ceiling"]
    effect = dict(zip(head, rows[0]))
    assert (effect["studies"], effect["found"], effect["missed"], effect["wrong sign"]) == (
        "10", "9", "1", "0",
    )  # fmt: skip
    assert effect["share found"] == "0.90 (0.56 to 1.00)"
    assert effect["share of intervals that contain the true value"] == "0.90 (0.56 to 1.00)"
    head, _, *rows = cells(results["controls"])
    assert [dict(zip(head, row))["true"] for row in rows] == ["no", "yes"]
    assert [dict(zip(head, row))["found"] for row in rows] == ["1", "8"]
    head, _, *rows = cells(results["training"])
    assert rows == [["msd-musicnn", "tempo", "10", "2", "7", "1", "0.20 (0.03 to 0.56)"]]
    assert len(cells(results["tags"])) == 3
    assert "91.7%" in results["covered"]  # 27.5 of 30
    assert "1 of 10" in results["falsely_found"]
    assert "msd-musicnn" in results["gains"]
    assert "above zero for no cause" in results["gains"]  # in 2 of 10 sets
    assert results["twins"] == ""  # no comparison on groove
    assert "2026-01-02" in results["made"]


def test_a_row_whose_interval_lies_above_five_percent_is_named(folder):
    assert "in no row does the 95% interval" in demo_results(folder)["falsely_found"]
    lenient = "probe,placebo: order,absent,50,0,0,7,0.058,0.267,,,\n"
    (folder / "demo_seeds.csv").write_text(SEEDS + lenient)
    said = demo_results(folder)["falsely_found"]
    assert "8 of 60" in said
    assert "1 of 2 rows: probe, placebo: order (7 of 50; 95% CI of the share 0.06 to 0.27)" in said


def test_a_style_is_recognised_by_a_tag_that_is_lower_for_the_others(folder):
    rows = ["a,funk,\"80s 0.30, funk 0.11\",2", "a,pop,\"80s 0.22, pop 0.10\",2",
            "a,rock,\"rock 0.19, pop 0.16\",1", "b,pop,\"pop 0.15, drums 0.12\",1",
            "b,rock,\"drums 0.30, guitar 0.20\",9"]  # fmt: skip
    head = TAGS.splitlines()[:2]
    (folder / "demo_tags.csv").write_text("\n".join([*head, *rows]) + "\n")
    assert demo_results(folder)["recognised"] == (
        "By this criterion, the tagger in brackets recognises rock (a). "
        "By this criterion, the tagger in brackets does not recognise pop (a). "
        "The listed tags do not show whether the tagger in brackets recognises "
        "funk (a) and pop (b)."
    )


def test_without_the_tables_there_is_nothing_to_show(tmp_path):
    assert set(demo_results(tmp_path).values()) == {""}


def test_controls_are_found_no_more_often_than_by_chance():
    table = pd.read_csv(EXPECTED / "demo_seeds.csv", comment="#")
    absent = table[table["truth"] == "absent"]
    assert {"placebo", "style_only"} <= set(absent["target"].str.partition(":")[0])
    most = stats.binom.ppf(1 - 0.01 / len(absent), absent["n"], 0.05)
    assert (absent["falsely_found"] <= most).all()
    style = table[table["target"].str.startswith("style_only: style")]
    assert (style["found"] == style["n"]).all()


def test_counts_and_intervals_of_the_committed_table_agree():
    table = pd.read_csv(EXPECTED / "demo_seeds.csv", comment="#")
    counted = table[table["truth"].isin(["present", "absent", "unknown"])]
    sums = counted[["found", "missed", "falsely_found"]].sum(axis=1)
    assert (sums[counted["truth"] != "absent"] == counted["n"][counted["truth"] != "absent"]).all()
    shares = counted["found"].where(counted["truth"] != "absent", counted["falsely_found"])
    shares = shares / counted["n"]
    assert shares.between(counted["low"] - 1e-3, counted["high"] + 1e-3).all()
    covered = table.dropna(subset="covered")
    one = covered.iloc[0]
    inside = round(one["covered"] * one["n"])
    ends = one[["covered_low", "covered_high"]].astype(float)
    by_scipy = stats.binomtest(int(inside), int(one["n"])).proportion_ci(0.95, "exact")
    np.testing.assert_allclose(ends, by_scipy, atol=2e-3)
