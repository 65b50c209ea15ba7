"""Ablation compared with nested_ridge, with refitted probes, and with known contributions."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from expect import raises
from sklearn.linear_model import Ridge

from groove_utils import probe
from groove_utils.cache import ArrayCache
from groove_utils.probe import (
    ClippedStandardScaler,
    ProbeError,
    Protocol,
    ablate,
    nested_ridge,
    style_scores,
)
from groove_utils.probe.ablation import TRAIN_ON
from groove_utils.stats import holm

STEMS = ("drums", "bass", "other", "vocals")
ALL = [s for k in range(1, 5) for s in combinations(STEMS, k)]
PROTOCOL = Protocol(n_repeats=2, seed=3, alphas=[0.1, 10, 1000])
SCALE = {"drums": 1.0, "bass": 0.6, "other": 0.8, "vocals": 0.5}


def make_songs(n=60, seed=0, noise=0.3, dims=3):
    """Draw songs whose embedding is the sum of contributions of stems in separate dimensions.

    "dance" depends on the drums and half as much on the bass, "listen" on the vocals, and "luck"
    on no stem.
    """
    rng = np.random.default_rng(seed)
    parts = {stem: rng.normal(size=(n, dims)) * SCALE[stem] for stem in STEMS}
    turn = np.linalg.qr(rng.normal(size=(4 * dims, 4 * dims)))[0]

    def embed(subset):
        own = [parts[s] if s in subset else np.zeros((n, dims)) for s in STEMS]
        sound = np.concatenate(own, axis=1) @ turn
        return {"early": sound[:, :7], "late": np.tanh(sound) + 0.2}

    index = pd.Index([f"song {i}" for i in range(n)], name="track_id")
    y = pd.DataFrame(
        {
            "dance": 2 * parts["drums"][:, 0] + parts["bass"][:, 0] / 0.6,
            "listen": 2 * parts["vocals"][:, 1],
            "luck": rng.normal(size=n),
        },
        index=index,
    )
    y += 50 + noise * rng.normal(size=y.shape)
    artists = np.array([f"artist {i // 3}" for i in range(n)])
    styles = np.array(["funk", "pop", "rock"])[(np.arange(n) // 3) % 3]
    return {s: embed(s) for s in ALL}, y, artists, styles


@pytest.fixture(scope="module")
def songs():
    return make_songs()


@pytest.fixture(scope="module")
def found(songs):
    features, y, artists, styles = songs
    return {t: ablate(features, y, artists, styles, PROTOCOL, train_on=t) for t in TRAIN_ON}


@pytest.fixture(scope="module")
def of_mix(songs):
    features, y, artists, styles = songs
    return nested_ridge(features[STEMS], y, artists, styles, PROTOCOL)


@pytest.mark.parametrize("train_on", TRAIN_ON)
def test_all_stems_together_score_as_the_probe_of_the_mix(found, of_mix, train_on):
    place = found[train_on].place(STEMS)
    expected = of_mix.predicted.mean(axis=0)
    np.testing.assert_allclose(found[train_on].predicted[place], expected, atol=1e-8)
    table = probe.ablation_scores(found[train_on], n_boot=500, seed=1).query("part == 'all'")
    mine = table[table["subset"] == "+".join(STEMS)].set_index("target")
    theirs = probe.bootstrap_scores(of_mix, scores=["r2"], n_boot=500, seed=1).set_index("target")
    for column in ("estimate", "low", "high"):
        np.testing.assert_allclose(mine[column], theirs[column], atol=1e-8)
    assert (mine["n_artists"] == 20).all()


def test_parts_are_those_of_style_scores(songs, found):
    features, y, artists, styles = songs
    subset = ("drums", "other")
    result = nested_ridge(features[subset], y, artists, styles, PROTOCOL)
    theirs = style_scores(result, n_boot=300, seed=2).set_index(["part", "target"])
    mine = probe.ablation_scores(found["stem"], n_boot=300, seed=2)
    mine = mine[mine["subset"] == "drums+other"].set_index(["part", "target"])
    assert found["stem"].parts == ["all", "within", "funk", "pop", "rock"]
    for part in found["stem"].parts:
        for column, name in (("estimate", "r2"), ("low", "low"), ("high", "high")):
            np.testing.assert_allclose(mine.loc[part, column], theirs.loc[part, name], atol=1e-8)
    assert mine.loc[("funk", "dance"), "n_songs"] == 21


@pytest.mark.parametrize("train_on", ["mix", "mix_centred"])
@pytest.mark.parametrize("subset", [("drums",), ("drums", "other", "vocals")])
def test_the_probe_of_the_mix_keeps_its_scale_layer_and_penalty(
    songs, found, of_mix, train_on, subset
):
    """Compare with a probe that scikit-learn fits to the mix and tests on a subset."""
    features, y, _, _ = songs
    values = y["dance"].to_numpy()
    predicted = np.empty((2, len(y)))
    chosen = of_mix.choices.set_index(["target", "repeat", "fold"])
    for repeat, fold in enumerate(of_mix.folds):
        for number in range(fold.max() + 1):
            train, test = fold != number, fold == number
            row = chosen.loc[("dance", repeat, number)]
            X, S = features[STEMS][row["layer"]], features[subset][row["layer"]]
            scaler = ClippedStandardScaler().fit(X[train])
            model = Ridge(alpha=row["alpha"]).fit(scaler.transform(X[train]), values[train])
            of_subset = model.predict(scaler.transform(S))
            if train_on == "mix_centred":
                of_subset = of_subset - of_subset[train].mean() + values[train].mean()
            predicted[repeat, test] = of_subset[test]
    one = found[train_on]
    found_here = one.predicted[one.place(subset), :, 0]
    np.testing.assert_allclose(found_here, predicted.mean(axis=0), atol=1e-8)


def test_a_missing_artist_is_missing_from_training_and_test(songs, found, of_mix):
    """Compare closed forms of predictions without an artist with refitted probes."""
    features, y, artists, styles = songs
    gone = "artist 5"
    keep = artists != gone
    fixed = replace(PROTOCOL, alphas=10.0, layers="late")
    few = {s: features[s] for s in (("drums",), STEMS)}
    whole = ablate(few, y, artists, styles, fixed, train_on="mix_centred", folds=of_mix.folds)
    fewer = ablate(
        {s: {k: v[keep] for k, v in X.items()} for s, X in few.items()},
        y[keep], artists[keep], styles[keep], fixed, train_on="mix_centred",
        folds=of_mix.folds[:, keep],
    )  # fmt: skip
    number = sorted(set(artists)).index(gone)
    # scaling is not refitted without the artist, so the two agree only approximately
    near = whole.leave_artist_out[number][:, keep] - fewer.predicted
    moved = whole.predicted[:, keep] - fewer.predicted
    assert np.sqrt((near**2).mean()) < 0.25 * np.sqrt((moved**2).mean())
    assert found["mix_centred"].leave_artist_out.shape == (20, 16, 60, 3)
    nothing = whole.leave_artist_out[number, 0][keep]
    np.testing.assert_allclose(nothing, fewer.predicted[0], atol=1e-4)


def test_without_stems_the_prediction_is_the_training_mean(songs, found, of_mix):
    y = songs[1]
    expected = np.zeros(len(y))
    for fold in of_mix.folds:
        for number in range(4):
            expected[fold == number] += y["dance"].to_numpy()[fold != number].mean() / 2
    for one in found.values():
        np.testing.assert_allclose(one.predicted[0, :, 0], expected)
        assert one.subsets[0] == ()
        assert -0.5 < one.r2[0, 0, 0] < 0


def test_shapley_values_add_up(found):
    for one in found.values():
        table = probe.contributions(one, n_boot=200)
        shares = table[table["measure"] == "Shapley"]
        total = shares.groupby(["part", "target"])["estimate"].sum()
        whole = one.r2[one.place(STEMS)] - one.r2[0]
        total = total.unstack("target").loc[one.parts, one.songs.targets]
        np.testing.assert_allclose(total, whole, atol=1e-9, rtol=0)
        songs = probe.attribute_songs(one, "listen", n_boot=200)
        of_song = songs.groupby("track_id", sort=False)
        np.testing.assert_allclose(
            of_song["estimate"].sum() + of_song["baseline"].first(),
            of_song["predicted"].first(),
            atol=1e-9,
            rtol=0,
        )


@pytest.mark.parametrize("train_on", ["mix_centred", "stem"])
def test_finds_the_stems_that_carry_it(found, train_on):
    table = probe.contributions(found[train_on], n_boot=200).query("part == 'all'")
    share = table.pivot_table(index="stem", columns=["measure", "target"], values="estimate")
    for measure in ("alone", "left out", "Shapley"):
        own = share[measure]
        assert list(own["dance"].sort_values(ascending=False).index[:2]) == ["drums", "bass"]
        assert own["dance"]["drums"] > 1.5 * own["dance"]["bass"]
        assert own["listen"].idxmax() == "vocals"
    sure = table[(table["measure"] == "Shapley") & (table["p_holm"] < 0.05)]
    assert set(zip(sure["stem"], sure["target"])) >= {("drums", "dance"), ("vocals", "listen")}
    assert not set(sure["target"]) & {"luck"}
    for _, own in table.groupby("measure"):
        np.testing.assert_allclose(own["p_holm"], holm(own["p"]))
    row = table[(table["stem"] == "drums") & (table["target"] == "dance")].iloc[0]
    assert row["low"] < row["estimate"] < row["high"]


def test_centring_ignores_an_offset_of_all_songs(songs):
    features, y, artists, styles = songs
    few = {s: features[s] for s in (("drums",), STEMS)}
    moved = few | {("drums",): {k: v + 3.0 for k, v in few[("drums",)].items()}}
    r2 = {}
    for train_on in ("mix", "mix_centred"):
        protocol = replace(PROTOCOL, layers="early")
        plain, off = (
            ablate(X, y, artists, styles, protocol, train_on=train_on) for X in (few, moved)
        )
        r2[train_on] = [one.r2[one.place(("drums",)), 0, 0] for one in (plain, off)]
    assert r2["mix"][1] < r2["mix"][0] - 0.2
    assert r2["mix_centred"][1] == pytest.approx(r2["mix_centred"][0], abs=0.1)


def test_a_stem_that_changes_nothing_is_worth_nothing_in_a_probe_of_the_mix(songs):
    features, y, artists, styles = songs
    silent = {s: features[tuple(x for x in s if x != "other")] for s in ALL if s != ("other",)}
    silence = {k: np.full_like(v, v.mean()) for k, v in features[STEMS].items()}
    silent[("other",)] = silence
    one = ablate(silent, y, artists, styles, replace(PROTOCOL, n_repeats=1))
    table = probe.contributions(one, n_boot=100).query("stem == 'other' and part == 'all'")
    # constant features predict the training mean, like the empty subset
    assert np.abs(table["estimate"]).max() < 1e-9
    assert (table["p"] > 0.99).all()


def test_a_silent_stem_of_one_song_is_given_nothing(songs, found):
    ids = list(songs[1].index)
    silent = pd.DataFrame(False, index=ids, columns=list(STEMS))
    silent.loc[ids[7], ["vocals", "bass"]] = True
    silent.loc[ids[9]] = True
    for one in found.values():
        plain = probe.attribute_songs(one, "dance", n_boot=100).set_index(["track_id", "stem"])
        ruled = probe.attribute_songs(one, "dance", silent=silent, n_boot=100)
        ruled = ruled.set_index(["track_id", "stem"])
        other = plain.index.get_level_values(0).isin([ids[7], ids[9]])
        pd.testing.assert_frame_equal(ruled[~other], plain[~other])
        assert (ruled.loc[ids[7]].loc[["vocals", "bass"], ["estimate", "low", "high"]] == 0).all(
            axis=None
        )
        rest = ruled.loc[ids[7]]
        both = one.predicted[one.place(("drums", "other")), 7, 0]
        assert rest["estimate"].sum() + rest["baseline"].iloc[0] == pytest.approx(both, abs=1e-9)
        assert (rest["predicted"] == both).all()
        assert (ruled.loc[ids[9], "estimate"] == 0).all()
    with raises(ProbeError, "missing", column="silent", value="bass"):
        probe.attribute_songs(one, "dance", silent=silent.drop(columns="bass"))
    with raises(ProbeError, "missing", column="silent", value=ids[3]):
        probe.attribute_songs(one, "dance", silent=silent.drop(index=ids[3]))


def test_a_difference_of_shares_is_that_of_shapley_values(found):
    one = found["stem"]
    table = probe.contributions(one, n_boot=100).query("measure == 'Shapley' and part == 'all'")
    shares = table.set_index(["stem", "target"])["estimate"].unstack()
    drums, *rest = STEMS
    difference = probe.share_difference(one, [drums], rest, n_boot=100).query("part == 'all'")
    expected = shares.loc[drums] - shares.loc[rest].sum()
    found_now = difference.set_index("target")["estimate"]
    np.testing.assert_allclose(found_now, expected[found_now.index], atol=1e-12)
    with raises(ProbeError, "unknown", column="stems", value=["triangle"]):
        probe.share_difference(one, ["triangle"], rest)


def test_contrast_of_subsets_and_of_ablations(found):
    one, other = found["stem"], found["mix_centred"]
    pair = probe.contrast(
        [(1, one, ("bass", "drums")), (-1, one, ("drums",)), (-1, one, ("bass",)), (1, one, ())]
    ).set_index(["part", "target"])
    expected = (
        one.r2[one.place(("drums", "bass"))] - one.r2[one.place(("drums",))]
        - one.r2[one.place(("bass",))] + one.r2[0]
    )  # fmt: skip
    np.testing.assert_allclose(pair["estimate"].to_numpy(), expected.ravel())
    same = probe.contrast([(1, one, STEMS), (-1, other, STEMS)])
    np.testing.assert_allclose(same[["estimate", "low", "high"]], 0, atol=1e-8)
    alone = probe.contrast([(1, one, ("drums",)), (-1, one, ())], seed=4)
    table = probe.contributions(one, seed=4)
    table = table[(table["measure"] == "alone") & (table["stem"] == "drums")]
    for column in ("estimate", "low", "high", "p"):
        np.testing.assert_allclose(alone[column], table[column])
    with raises(ProbeError, "empty", column="terms"):
        probe.contrast([])
    with raises(ProbeError, "unpaired", column="targets"):
        probe.contrast([(1, one, STEMS), (-1, other.select(["luck"]), STEMS)])


def test_works_with_the_subsets_that_were_published(songs):
    features, y, artists, styles = songs
    published = [*((s,) for s in STEMS), ("drums", "bass"), STEMS]
    one = ablate({s: features[s] for s in published}, y, artists, styles, PROTOCOL)
    assert not one.is_complete
    table = probe.contributions(one, n_boot=50)
    assert set(table["measure"]) == {"alone"}
    with raises(ProbeError, "incomplete", value=7):
        probe.attribute_songs(one, "dance")
    two = {s: features[s] for s in (STEMS, ("bass", "other", "vocals"))}
    two = ablate(two, y, protocol=PROTOCOL)
    table = probe.contributions(two, n_boot=50)
    assert set(zip(table["measure"], table["stem"])) == {("left out", "drums")}


def test_a_result_is_kept_and_found_again(songs, tmp_path, monkeypatch):
    features, y, artists, styles = songs
    few = {s: {"early": features[s]["early"]} for s in (("drums",), STEMS)}
    cache = ArrayCache(tmp_path, "ablation")
    data = (y, artists, styles, PROTOCOL)
    first = ablate(few, *data, cache=cache)
    assert len(cache) == 1
    monkeypatch.setattr("groove_utils.probe.ablation.nested_ridges", None)
    again = ablate(few, *data, cache=cache)
    for name in ("predicted", "r2", "influence", "leave_artist_out"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
    assert again.subsets == first.subsets
    monkeypatch.undo()
    for change in ({"seed": 4}, {"alphas": [10.0]}, {"layers": "concat"}):
        ablate(few, *data[:3], replace(PROTOCOL, **change), cache=cache)
    ablate(few, *data, train_on="mix", cache=cache)
    ablate(few, y + 1, *data[1:], cache=cache)
    moved = few | {("drums",): few[("drums",)]["early"] + 1e-9}
    moved[STEMS] = few[STEMS]["early"]
    ablate(moved, *data, cache=cache)
    assert len(cache) == 7


def test_scores_of_the_published_protocol(songs, tmp_path, monkeypatch):
    features, y, artists, styles = songs
    cache = ArrayCache(tmp_path, "ablation")
    few = {s: features[s] for s in (("drums", "bass"), STEMS)}
    table = probe.paper_scores(few, y, artists, styles, cache=cache)
    expected = probe.paper_protocol(features[STEMS], y).scores().set_index("target")
    mine = table[table["subset"] == "+".join(STEMS)].set_index("target")
    for column in ("fold_r2", "fold_r2_sd"):
        np.testing.assert_allclose(mine[column], expected.loc[mine.index, column])
    monkeypatch.setattr("groove_utils.probe.stem_scores.paper_protocol", None)
    pd.testing.assert_frame_equal(probe.paper_scores(few, y, artists, styles, cache=cache), table)


def test_select_keeps_what_belongs_together(found):
    one = found["stem"].select(["luck", "dance"])
    assert one.songs.targets == ["luck", "dance"]
    np.testing.assert_array_equal(one.r2[..., 1], found["stem"].r2[..., 0])
    np.testing.assert_array_equal(one.songs.ratings[:, 0], found["stem"].songs.ratings[:, 2])
    with raises(ProbeError, "unknown", value=["groove"]):
        one.select(["groove"])


def test_one_style_has_one_part(songs):
    features, y, artists, _ = songs
    one = ablate({STEMS: features[STEMS]}, y, artists, protocol=PROTOCOL)
    assert one.parts == ["all"]


def test_unusable_subsets_are_described(songs, found):
    features, y, artists, styles = songs
    mix = features[STEMS]
    for unusable in ({}, {STEMS: mix, (): mix}):
        with raises(ProbeError, "empty", column="features"):
            ablate(unusable, y)
    with raises(ProbeError, "no_mix", value=["vocals"]):
        ablate({s: features[s] for s in (("drums", "bass"), ("vocals",))}, y)
    with raises(ProbeError, "duplicate"):
        ablate({STEMS: mix, STEMS[::-1]: mix}, y)
    with raises(ProbeError, "unknown", column="train_on", value="song"):
        ablate({STEMS: mix}, y, train_on="song")
    with raises(ProbeError, "shape", value=("drums",)):
        short = {"early": mix["early"]}
        ablate({("drums",): short, STEMS: mix}, y, protocol=PROTOCOL, train_on="mix")
    one = ablate({STEMS: mix}, y, artists, styles, PROTOCOL)
    with raises(ProbeError, "unknown", column="subset", value=("drums",)):
        one.place(("drums",))
    with raises(ProbeError, "only_mix"):
        probe.contributions(one)
    with raises(ProbeError, "unknown", value=["groove"]):
        probe.attribute_songs(found["stem"], "groove")
