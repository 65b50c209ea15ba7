import numpy as np
import pandas as pd
import pytest
from expect import raises

from groove_utils.errors import DetailedError
from groove_utils.genre import equalise_training, split_clips

TABLE = pd.DataFrame(
    [
        {"clip_id": f"{s}{b}{n}{c}", "song_id": f"{s}{b}{n}", "artist": f"{s}{b}", "style": s}
        for s in "xyz"
        for b in "abcdefgh"
        for n in "12"
        for c in "123"
    ]
)
COLUMNS = {"artist": "artist", "song": "song_id", "clip": "clip_id"}


@pytest.mark.parametrize("by", COLUMNS)
@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_divided_and_every_style_is_everywhere(by, seed):
    split = split_clips(TABLE, by, seed=seed)
    assert sorted(row for rows in split.values() for row in rows) == list(range(len(TABLE)))
    groups = {name: set(TABLE[COLUMNS[by]].iloc[rows]) for name, rows in split.items()}
    assert not groups["train"] & groups["valid"]
    assert not (groups["train"] | groups["valid"]) & groups["test"]
    sizes = [TABLE["style"].iloc[rows].value_counts() for rows in split.values()]
    assert all(len(size) == 3 and size.nunique() == 1 for size in sizes)
    assert len(split["test"]) == pytest.approx(len(TABLE) / 4)


def test_a_split_by_clip_shares_bands():
    split = split_clips(TABLE, "clip")
    bands = [set(TABLE["artist"].iloc[split[name]]) for name in ("train", "test")]
    assert len(bands[0] & bands[1]) > 12


def test_a_band_of_two_styles_stays_together():
    table = pd.concat([TABLE, TABLE[:3].assign(style="y", artist="xa", clip_id=list("123"))])
    for seed in range(8):
        split = split_clips(table.reset_index(drop=True), seed=seed)
        where = [name for name, rows in split.items() if "xa" in set(table["artist"].iloc[rows])]
        assert len(where) == 1


def test_the_seed_decides():
    first, same, other = (split_clips(TABLE, seed=seed)["test"] for seed in (0, 0, 1))
    assert list(first) == list(same) != list(other)


@pytest.mark.parametrize("seed", range(3))
def test_ways_of_splitting_get_as_many_training_clips(seed):
    splits = {way: split_clips(TABLE, way, seed=seed) for way in COLUMNS}
    y = pd.Categorical(TABLE["style"]).codes
    sizes = {way: len(split["train"]) for way, split in splits.items()}
    assert len(set(sizes.values())) > 1  # sizes differ before they are equalised
    equal = equalise_training(splits, y, seed)
    for way, split in equal.items():
        assert np.bincount(y[split["train"]]).tolist() == [min(sizes.values()) // 3] * 3
        assert set(split["train"]) <= set(splits[way]["train"])
        assert len(set(split["train"])) == len(split["train"])
        assert split["test"] is splits[way]["test"]
    smallest = min(sizes, key=sizes.get)
    np.testing.assert_array_equal(equal[smallest]["train"], splits[smallest]["train"])


def test_too_few_bands_are_reported():
    with raises(DetailedError, "too_few", column="artist", value=2):
        split_clips(TABLE[TABLE["artist"].isin(["xa", "xb"])])
    with raises(DetailedError, "unknown_choice", column="by", value="album"):
        split_clips(TABLE, "album")
