"""Tables that cannot be fitted, and warnings about properties of the design."""

import warnings

import numpy as np
import pandas as pd
import pytest
from crossed_ratings import simulate_ratings
from expect import raises

from groove_utils.mixed import LmmError, LmmWarning, fit_lmm

CROSSED = "(1 | listener_id) + (1 | track_id)"
FORMULA = f"rating ~ x + {CROSSED}"


@pytest.fixture(scope="module")
def ratings():
    return simulate_ratings(24, 18, 12, effect=0.5, seed=3)


def warned(formula, data):
    """Fit a model; return the result, and its warnings as one text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = fit_lmm(formula, data)
    caught = [w for w in caught if issubclass(w.category, LmmWarning)]
    assert all(w.filename == __file__ for w in caught)  # points to the call, not into the package
    assert [str(w.message) for w in caught] == result.messages
    return result, " ".join(result.messages)


def two_artists(ratings):
    odd = ratings["track_id"].str[1:].astype(int) // 3 % 2
    return ratings.assign(artist=ratings["style"] + odd.astype(str))


def test_tables_that_cannot_be_fitted(ratings):
    with raises(LmmError, "not_a_table", value="dict"):
        fit_lmm(FORMULA, ratings.to_dict())
    for empty in (ratings.assign(rating=np.nan), ratings.iloc[:0]):
        with raises(LmmError, "no_complete_row"):
            fit_lmm(FORMULA, empty)
    with raises(LmmError, "constant_response", column="rating", value=4):
        fit_lmm(FORMULA, ratings.assign(rating=4.0))
    with raises(LmmError, "not_finite", row=5):
        fit_lmm(FORMULA, ratings.assign(rating=ratings["rating"].where(ratings.index != 5, np.inf)))


def test_a_factor_with_one_level(ratings):
    one = ratings.assign(style="funk", room="A", never=0.0)
    with raises(LmmError, "single_level", column="style", value="funk"):
        fit_lmm(f"rating ~ style + {CROSSED}", one)
    with raises(LmmError, "single_level", column="room"):
        fit_lmm(f"{FORMULA} + (1 | room)", one)
    with raises(LmmError, "empty_column", column="listener_id"):
        fit_lmm(f"{FORMULA} + (0 + never | listener_id)", one)
    # a level that occurs only in incomplete rows does not count
    data = ratings.assign(rating=ratings["rating"].where(ratings["style"] == "funk"))
    with raises(LmmError, "single_level", column="style"):
        fit_lmm(f"rating ~ style + {CROSSED}", data)


def test_incomplete_rows_are_counted(ratings):
    data = ratings.copy()
    data.loc[[3, 4, 50], "rating"] = np.nan
    data.loc[[4, 60], "x"] = np.nan
    data["comment"] = np.nan  # not in the formula, so ignored
    result, text = warned(FORMULA, data)
    assert "4 of 288 rows" in text
    assert result.n_obs == 284
    complete = fit_lmm(FORMULA, data.dropna(subset=["rating", "x"]))
    np.testing.assert_allclose(result.beta, complete.beta)


def test_listeners_with_one_rating(ratings):
    lone = ratings[(ratings["listener_id"] > "L0002") | ~ratings["listener_id"].duplicated()]
    result, text = warned(FORMULA, lone)
    assert "3 of 24 levels of 'listener_id' have a single row (L0000, L0001, L0002)" in text
    assert result.n_groups["listener_id"] == 24


def test_style_and_artist_separated(ratings):
    one_each = ratings.assign(artist=ratings["style"] + " band")
    with raises(LmmError, "confounded", column="style", value="artist"):
        fit_lmm(f"rating ~ style + {CROSSED} + (1 | artist)", one_each)
    with raises(LmmError, "collinear") as caught:
        fit_lmm(f"rating ~ style + artist + {CROSSED}", two_artists(ratings))
    assert "make 'artist' random" in str(caught.value)
    some = two_artists(ratings)
    some.loc[some["style"] == "funk", "artist"] = "the only funk band"
    _, text = warned(f"rating ~ style + {CROSSED} + (1 | artist)", some)
    assert "levels of 'style' with only one level of 'artist': funk" in text


def test_groups_that_cannot_be_told_apart(ratings):
    with raises(LmmError, "confounded", column="track_id"):
        fit_lmm(f"rating ~ C(track_id) + {CROSSED}", ratings)
    copied = ratings.assign(copy=ratings["track_id"])
    with raises(LmmError, "same_grouping", column="copy", value="track_id"):
        fit_lmm(f"{FORMULA} + (1 | copy)", copied)


def test_a_combination_that_does_not_occur(ratings):
    data = ratings.assign(half=np.where(ratings["listener_id"] < "L0012", "a", "b"))
    data = data[(data["style"] != "rock") | (data["half"] == "a")]
    with raises(LmmError, "empty_column"):
        fit_lmm(f"rating ~ half * style + {CROSSED}", data)


def test_nearly_collinear_predictors(ratings):
    rng = np.random.default_rng(0)
    twin = ratings["x"] + 0.05 * rng.standard_normal(len(ratings))
    _, text = warned(f"rating ~ x + twin + {CROSSED}", ratings.assign(twin=twin))
    assert "nearly determined by the other predictors" in text
    _, text = warned(f"rating ~ x * style + {CROSSED}", ratings)
    assert "nearly determined" not in text  # products are always correlated


def test_song_level_studies_have_artists_only(ratings):
    songs = two_artists(ratings).groupby(["track_id", "style", "artist"], as_index=False)
    songs = songs[["x", "rating"]].mean()
    result, _ = warned("rating ~ x + style + (1 | artist)", songs)
    assert result.n_obs == 18
    assert list(result.n_groups) == ["artist"]
    assert result.predict(songs)["estimate"].notna().all()


def test_singular_fits_name_the_term_and_a_remedy(ratings):
    rng = np.random.default_rng(1)
    data = ratings.assign(day=rng.integers(0, 5, len(ratings)).astype(str))
    # remove the day means, so that their variance is 0 for certain
    data["rating"] -= data.groupby("day")["rating"].transform("mean")
    result, text = warned(f"{FORMULA} + (1 | day)", data)
    assert result.singular
    assert "variance of the intercepts across levels of 'day' is 0" in text
    assert "drop (1 | day)" in text


def test_a_perfect_correlation_is_warned_of(ratings):
    # slopes do not differ between listeners; with this seed, the correlation is on the boundary
    result, text = warned("rating ~ x + (1 + x | listener_id) + (1 | track_id)", ratings)
    assert result.singular
    assert abs(result.variance_components()["sd"][2]) > 0.999
    assert "Intercept and x are perfectly correlated" in text


def balanced(noise):
    rng = np.random.default_rng(0)
    answer = np.repeat(np.arange(6.0), 4) + np.tile([1.0, 2.0, 4.0, 3.0], 6)
    answer += noise * rng.standard_normal(24)
    return pd.DataFrame(
        {
            "rating": np.r_[answer, answer],
            "half": np.repeat([-1.0, 1.0], 24),
            "listener_id": np.tile(np.repeat([f"L{i}" for i in range(6)], 4), 2),
            "track_id": np.tile([f"S{i}" for i in range(4)], 12),
        }
    )


def test_a_response_that_ignores_a_predictor_gives_exactly_zero():
    result, text = warned(f"rating ~ half + {CROSSED}", balanced(0.5))
    assert abs(result.beta[1]) < 1e-10
    assert "coefficient of half is exactly 0" in text


def test_a_response_without_noise_is_refused():
    with raises(LmmError, "exact_fit", column="rating"):
        fit_lmm(f"rating ~ half + {CROSSED}", balanced(0.0))
