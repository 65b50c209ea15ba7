"""Names and subsets of stems."""

import pytest
from expect import raises

from groove_utils.errors import DetailedError
from groove_utils.study.stem_names import STEMS, parse_subset, stem_subsets, subset_name


def test_subsets_come_by_size_in_the_given_order():
    subsets = stem_subsets()
    assert len(subsets) == len(set(subsets)) == 15
    assert subsets[:5] == [("drums",), ("bass",), ("other",), ("vocals",), ("drums", "bass")]
    assert [len(s) for s in subsets] == [1] * 4 + [2] * 6 + [3] * 4 + [4]
    assert subsets[-1] == STEMS
    assert stem_subsets(["b", "a"]) == [("b",), ("a",), ("b", "a")]
    assert stem_subsets([]) == []
    with raises(DetailedError, "duplicate", value=("drums", "drums")):
        stem_subsets(["drums", "drums"])


@pytest.mark.parametrize("subset", [(), ("drums",), ("drums", "bass"), STEMS])
def test_a_name_is_parsed_back(subset):
    assert parse_subset(subset_name(subset)) == subset
    assert parse_subset(subset[::-1]) == subset


def test_usual_stems_come_first_in_a_name():
    assert subset_name(("guitar", "bass", "drums")) == "drums+bass+guitar"
    assert subset_name(["percussive", "harmonic"]) == "percussive+harmonic"
    assert subset_name("drums") == "drums"


@pytest.mark.parametrize("subset", ["piano", ["drums", "drums"]])
def test_unknown_and_repeated_stems_are_refused(subset):
    with raises(DetailedError, "unknown_stem"):
        parse_subset(subset)
