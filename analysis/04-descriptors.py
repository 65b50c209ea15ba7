# %% [markdown] tags=["needs-audio-or-descriptors"]
# # How well do formulas predict ratings?
#
# Long before neural networks were applied to music, researchers used formulas to describe what may
# make music groove: the number of events per second, the clarity of the pulse, the variation in
# level, and accents off the beat. Such formulas are called {term}`descriptors <descriptor>`. We can
# inspect them and understand their errors. A pretrained model is worth its cost only if it predicts
# ratings better than descriptors do. We therefore begin with descriptors.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** what sixteen classical descriptors of groove and sixteen further descriptors of
# rhythm measure; how to correlate them with ratings without treating an artist's songs as
# independent; what correlations between descriptors imply; how well descriptors predict the ratings;
# and how to test for an inverted-U relation.
#
# **You need** {doc}`01-listeners-and-tracks` and {doc}`02-representations`, and you should know
# correlation and regression.
#
# **Run time**: {run-time}`04-descriptors`, measured when this page was built; the first run takes
# longer. **Modules**: `groove_utils.descriptors`, `groove_utils.probe`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
target = "groove"  # the variable to predict: a question, or the groove score
n_repeats = 5  # random splits of the songs into folds
n_bootstrap = 2000  # bootstrap samples of artists
n_refits = 30  # refits for the interval of the partial dependence
n_plateaus = 200  # simulated data sets with a plateau, tested for an inverted U

# %%
import librosa
import numpy as np
import pandas as pd
import statsmodels.api as sm
from joblib import Parallel, delayed
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from groove_utils import descriptors, figures, probe
from groove_utils.book import (
    audio_player,
    open_chapter,
    report_counts,
    report_effects,
    report_percentages,
    report_texts,
    report_value,
    report_values,
    show_figure,
    show_table,
    summaries,
)
from groove_utils.book.verdicts import (
    clear_rows,
    describe_difference,
    pick_robust_shape,
    pick_shape,
    pick_verdict,
)
from groove_utils.stats import join_words

chapter = open_chapter("04-descriptors", study)
data = chapter.study
target = target if target in data.queries else next(iter(data.queries))

# %% [markdown] tags=["needs-audio"]
# ## Three formulas by hand
#
# The function `describe_study` computes all descriptors of all songs. As an example, we take the first
# song for which a tempo was found:

# %% tags=["needs-audio"]
tempi = descriptors.describe_study(data)["tempo"]
track = tempi.index[tempi.notna().argmax()]  # the first song with a tempo

# %% [markdown] tags=["needs-audio"]
# All rhythm descriptors are computed from an onset curve, which is similar to the onset strength in
# {doc}`02-representations`: the rise in level, averaged over mel bands. Here, the rise is measured
# over five frames of 5 ms each. With the mel magnitude $M_{b,t}$ of band $b$ at frame $t$, and the
# mean magnitude $\bar M$,
#
# $$ L_{b,t} = \log \left( 1 + 3 \, M_{b,t} / \bar M \right), \qquad
# o_t = \frac{1}{B} \sum_{b=1}^{B} \max (0, \; L_{b,t} - L_{b,t-5}) $$
#
# The logarithm approximates perceived loudness, and dividing by the mean makes the curve independent
# of the gain. With librosa, the onset curve takes two calls. (A sound shorter than 4 s is repeated
# until it is at least 4 s long. Silence is assumed before the sound.)

# %% tags=["needs-audio"]
y, sr = data.load(track)
y = np.tile(y, -(-4 * sr // len(y)))  # repeat until it lasts 4 s
hop = round(sr / 200)  # 5 ms
stft = {"n_fft": 10 * hop, "hop_length": hop, "window": "hamming"}
stft |= {"power": 1, "pad_mode": "constant"}
filters = {"n_mels": 64, "fmin": 30, "fmax": min(16000, sr / 2), "norm": None}
mel = librosa.feature.melspectrogram(y=y, sr=sr, **stft, **filters)
level = np.log1p(3 * mel / mel.mean())
level = np.pad(level, [(0, 0), (5, 0)])  # silence before the song
onsets = librosa.onset.onset_strength(S=level, lag=5, center=False)[5:]

# %% [markdown] tags=["needs-audio"]
# **Pulse clarity** {cite}`lartillot2008` measures how strongly the onset curve repeats itself from
# beat to beat: it is the height of the highest peak in the autocorrelation $r$ at lags between 0.3
# and 1.5 s, which correspond to tempi between 200 and 40 beats per minute. If $x$ is the curve minus
# its mean, and $N$ the number of frames,
#
# $$ r_\tau = \frac{\frac{1}{N - \tau} \sum_t x_t \, x_{t+\tau}}{\frac{1}{N} \sum_t x_t^2} $$
#
# Pulse clarity is 1 for a metronome, and about 0 for noise. (The curve is first smoothed over three
# frames, so that a pulse that falls between two frames is not lost. If the sound contains only a few
# periods of the pulse, the peak may exceed 1; in that case, pulse clarity is set to 1.)

# %% tags=["needs-audio"]
x = uniform_filter1d(onsets, 3)
x = x - x.mean()
r = librosa.autocorrelate(x) / np.arange(len(x), 0, -1)
r = r / r[0]
peaks = find_peaks(r)[0]
step = hop / sr  # seconds per frame
beats = peaks[(peaks >= round(0.3 / step)) & (peaks <= round(1.5 / step))]
clarity = min(1, r[beats].max()) if len(beats) else 0

# %% tags=["needs-audio", "hide-input"]
best_lag = beats[r[beats].argmax()] * step
show_figure(
    figures.plot_pulse(onsets, r, step, best_lag),
    "pulse",
    "Left: onset strength of one song. Right: its autocorrelation. Shaded: lags that correspond to 40 "
    "to 200 beats per minute. Dot: the highest peak at these lags; its height is the pulse clarity.",
    "A spiky curve over five seconds, and a decaying curve with regular peaks over lags of up to "
    "two seconds; the highest peak within a shaded region is marked.",
)
report_value("pulse_lag", best_lag, fmt=".2f", unit=" s")
report_texts(
    pulse_beats=f"At the estimated tempo of {tempi[track]:.0f} beats per minute, this lag corresponds to "
    f"{best_lag * tempi[track] / 60:.1f} beats"
    if tempi.notna().any()
    else "No tempo was found, so we cannot say how many beats this is"
)
report_value("pulse_height", clarity)

# %% [markdown] tags=["needs-audio"]
# In {numref}`fig-pulse`, the highest peak lies at a lag of {glue:text}`pulse_lag`.
# {glue:text}`pulse_beats`. An onset curve does not always repeat most strongly after one beat; it
# may, for instance, repeat most strongly after two. The height of the peak, which is the pulse
# clarity, is {glue:text}`pulse_height`.
#
# **Periodicity** is similar to pulse clarity, but is better suited to music whose tempo drifts. It is
# computed from the *tempogram*: the autocorrelation in windows of 8 s instead of over the whole song.
# In each window, we take the highest value in the same range of lags as before; periodicity is the
# mean of these values over all windows. **RMS variability** does not depend on a beat: it is the
# standard deviation of the level over frames of 50 ms. RMS variability is low for dense, continuous
# sound, and high for strokes separated by silence.

# %% tags=["needs-audio"]
slow = onsets[: len(onsets) // 4 * 4].reshape(-1, 4).mean(axis=1)  # 20 ms
tempogram = librosa.feature.tempogram(
    onset_envelope=slow - slow.mean(),
    win_length=min(round(2 / step), len(slow)),
    hop_length=1,
    sr=1,
)
lags = slice(round(0.3 / (4 * step)), round(1.5 / (4 * step)) + 1)
periodicity = tempogram[lags].max(axis=0).mean()
frames = {"frame_length": 10 * hop, "hop_length": 5 * hop, "center": False}
rms = librosa.feature.rms(y=y, **frames)

# %% [markdown] tags=["needs-audio"]
# The function `describe` computes these three descriptors and all others from one spectrogram, which
# saves most of the computing time. The next cell checks that `describe` gives the same numbers as above
# (to within $10^{-5}$, because audio is kept in single precision):

# %% tags=["needs-audio"]
values = descriptors.describe(y, sr)
values = values[["pulse_clarity", "periodicity", "rms_sd"]]
by_hand = [clarity, periodicity, rms.std()]
np.testing.assert_allclose(values.astype(float), by_hand, rtol=1e-5, atol=1e-6)

# %% [markdown]
# ## Thirty-two formulas
#
# The first sixteen descriptors are those of {cite:t}`stupacher2016`; {cite:t}`marmoret2026` use them
# as their baseline. They describe the clarity of the pulse as well as the level and its changes, both
# in the whole spectrum and in ten bands, most of which are one octave wide {cite}`alluri2010`. None
# of them uses the position of events within the bar. The function `descriptor_table` lists all
# formulas:

# %%
cards = descriptors.descriptor_table()
columns = ["title", "formula", "unit", "source"]
classic = cards.loc[list(descriptors.BASELINE), columns].set_index("title")
rhythm = cards.loc[list(descriptors.RHYTHM), columns].set_index("title")

# %% tags=["hide-input"]
omitted = cards.loc["band_2_flux":"band_9_flux", "title"]
show_table(
    classic.drop(omitted),
    "descriptor-baseline",
    "The classical descriptors. Not shown: flux in bands 2 to 9, each one octave wide.",
)

# %% [markdown]
# Most of the rhythm descriptors use an estimate of the beat. To compute them, a grid of sixteenth
# notes is placed on the onset curve; they then describe the events on and off this grid. An error in
# the estimated beat affects all descriptors that use the grid.

# %% tags=["hide-input"]
show_table(rhythm, "descriptor-rhythm", "Descriptors of rhythm.")

# %% [markdown]
# In {numref}`tab-descriptor-rhythm`, $r(P)$ is the autocorrelation of the onset curve at the lag $P$,
# in seconds. If several tempi are plausible, the one nearest to 120 beats per minute ($P$ = 0.5 s) is
# preferred, where distance is measured in octaves ($\log_2$). In a *swung grid*, the second sixteenth
# note of each pair is shifted by its average delay in the song, so that swing does not count as
# microtiming.
#
# We compute all descriptors for every song of the study. The result is a table with one row per song
# and one column per descriptor: the *features* of a regression.

# %%
table = descriptors.describe_study(data)
features = probe.usable_descriptors(table)
songs = table.reset_index().merge(data.tracks[["track_id", "artist", "style"]])
artists, styles = songs["artist"].to_numpy(), songs["style"].to_numpy()
titles = cards.loc[features.columns, "title"]
units, words = descriptors.axis_titles(), descriptors.prose_titles()

# %% tags=["hide-input"]
n_artists = songs["artist"].nunique()
report_counts(n_songs=len(songs), n_artists=n_artists, n_features=len(titles))
report_texts(unknown=join_words(words.drop(titles.index)))

# %% [markdown]
# The table contains {glue:text}`n_features` numbers for each of {glue:text}`n_songs` songs by
# {glue:text}`n_artists` artists. The following descriptors are excluded, because they are missing for
# some songs or have the same value for all songs: {glue:text}`unknown`. (For instance, a song with
# too few strokes between the eighth notes has no swing ratio. We do not replace missing values by the
# mean over all songs, because the test songs would then influence training.)

# %% [markdown] tags=["needs-audio"]
# ### Hear the extremes
#
# Be wary of a descriptor if you cannot hear what it measures. For two descriptors, the players below
# let you hear the songs with the lowest and the highest value.

# %% tags=["needs-audio"]
sounds = {}
for name in ("event_density", "syncopation"):
    values = table[name].dropna()
    for word, track in (("least", values.idxmin()), ("most", values.idxmax())):
        label = f"{word} {words[name]} ({values[track]:.1f})"
        song = data.song_names[track]
        sounds[f"{label}: {song}"] = data.audio_path(track)
audio_player(sounds)

# %% [markdown] tags=["needs-styles"]
# ## How much do descriptors differ between styles?
#
# How much of a descriptor's variance is due to differences between styles? To find out, we subtract
# each style's mean from the values of its songs and compute how much variance remains.
# {numref}`fig-descriptor-distributions` shows the distributions of some descriptors by style.

# %% tags=["needs-styles"]
centred = features - features.groupby(styles).transform("mean")
share = (1 - centred.var() / features.var()).sort_values(ascending=False)
portrait = list(descriptors.PORTRAIT)  # one or two descriptors of each kind

# %% tags=["needs-styles", "hide-input"]
show_figure(
    figures.plot_distributions(songs, units[portrait], data.styles),
    "descriptor-distributions",
    f"Descriptors of {len(songs)} songs by style, with quartiles. Level and flux are relative to "
    "full scale.",
    "Panels of box plots, one per descriptor; in most panels, the boxes of the styles are shifted "
    "relative to one another but overlap.",
    table=songs[["track_id", "style", *portrait]],
)
report_texts(styled=words[share.index[0]])
report_percentages({"styled_share": share.iloc[0], "median_share": share.median()})

# %% [markdown] tags=["needs-styles"]
# The descriptor that depends most on style is {glue:text}`styled`: {glue:text}`styled_share` of its
# variance is due to differences between styles. Over all descriptors, the median share is
# {glue:text}`median_share`. If one style is rated higher than another, any property that is typical
# of the higher-rated style correlates with the ratings, whether or not it affects them.
#
# ## What correlates with the ratings?

# %% [markdown]
# Songs by the same artist often have much in common, for instance a drummer and a producer. They are
# therefore not independent pieces of evidence, and an interval that treats them as independent is too
# narrow. We therefore compute intervals by resampling whole artists with replacement. Among thirty
# correlations, some can be expected to be “significant” by chance; we therefore correct the p-values
# with the method of {cite:t}`holm1979`.

# %%
rating = data.song_means(target)
boot = {"n_boot": n_bootstrap, "seed": seed}
overall = probe.correlate(features, rating, artists, **boot)
clear = clear_rows(overall).sort_values("p")  # p < .05 after the correction

# %% [markdown]
# {numref}`fig-classical` compares our correlations with published ones: {cite:t}`stupacher2014`
# correlated the same descriptors with the groove ratings of 80 clips. The authors report no
# intervals, but we can compute intervals from the correlations and the number of clips.
# ({cite:t}`stupacher2016` analysed these data further.)

# %%
published = descriptors.published_correlations()
earlier = published.rename("estimate").rename_axis("feature").reset_index()
earlier["low"], earlier["high"] = probe.fisher_interval(published, 80)
both = {"this study": overall, "published": earlier}
both = pd.concat(both, names=["source"]).reset_index("source")
both = both[both["feature"].isin(descriptors.BASELINE)]
both["descriptor"] = both["feature"].map(cards["title"])

# %% tags=["hide-input"]
r_axis = f"Correlation with “{target}”"
show_figure(
    figures.plot_forest(both, y="descriptor", hue="source", xlabel=r_axis),
    "classical",
    f"Pearson correlations of descriptors with ratings, in this study ({len(songs)} songs) and as "
    "published, with 95% intervals that are not corrected for multiple comparisons.",
    "Forest plot with sixteen rows: correlations in this study lie on both sides of zero, published "
    "correlations between .2 and .6.",
    table=both,
)
top = overall.loc[overall["estimate"].abs().idxmax()]
report_effects({"top_r": top}, "n_songs")
report_counts(n_sure=len(clear), n_plain=len(clear_rows(overall, "p")))
strongest = join_words(words[clear["feature"].head(5)])
report_texts(target=target, top=words[top["feature"]], sure=strongest)

# %% [markdown]
# For “{glue:text}`target`”, {glue:text}`n_plain` of the {glue:text}`n_features` descriptors have p <
# .05 without correction, and {glue:text}`n_sure` have p < .05 after Holm's correction. The following
# descriptors still correlate significantly with the ratings after correction (at most five are
# listed): {glue:text}`sure`. The descriptor that correlates most strongly with the ratings is
# {glue:text}`top`: {glue:text}`top_r_full`. (The interval comes from resampling artists; n is the
# number of songs.)
#
# How many of our correlations have the same sign as the published ones, and how many of our intervals
# lie entirely on the opposite side of zero from the published value?

# %%
shared = overall.set_index("feature").reindex(published.index).dropna()
agree = shared["estimate"] * published[shared.index] > 0
opposite = shared[~agree & (shared["low"] * shared["high"] > 0)]

# %% tags=["hide-input"]
report_counts(n_published=len(shared), n_agree=agree.sum())
report_texts(opposite=join_words(words[opposite.index]))

# %% [markdown]
# Of the {glue:text}`n_published` descriptors with a published correlation, {glue:text}`n_agree` have
# a correlation of the same sign in this study. If our signs were random, about half of them would
# agree with the published ones. If our interval lies entirely on the opposite side of zero, it
# contradicts the published correlation. Without correction for multiple comparisons, this happens
# for: {glue:text}`opposite`. The published values are taken from the abstract of the paper. If the
# authors reported only significant correlations, the published values are too large on average.
#
# We do not expect full agreement with the published correlations, because that study used different
# songs and different listeners. Moreover, a descriptor that hardly varies between the songs of a
# study cannot correlate clearly with the ratings.

# %% [markdown] tags=["needs-styles"]
# {numref}`fig-descriptor-within` shows the correlations within styles. We subtract the style means
# from each song's descriptors and rating, which removes differences between styles.

# %% tags=["needs-styles"]
within = probe.correlate(features, rating, artists, styles, **boot)
overall["songs"], within["songs"] = "all songs", "within styles"
pair = pd.concat([overall, within])
strongest = overall.set_index("feature")["estimate"].abs().nlargest(16).index
pair = pair.set_index("feature").loc[strongest].reset_index()
pair["descriptor"] = pair["feature"].map(titles)
smaller = within["estimate"].abs() < overall["estimate"].abs()

# %% tags=["needs-styles", "hide-input"]
show_figure(
    figures.plot_forest(pair, y="descriptor", hue="songs", xlabel=r_axis),
    "descriptor-within",
    f"The sixteen strongest correlations over {len(songs)} songs, and the same correlations within "
    "styles, with 95% intervals that are not corrected for multiple comparisons.",
    "Forest plot, two estimates per row; most correlations keep their sign within styles, some shrink.",
    table=pair,
)
report_counts(n_smaller=smaller.sum(), n_sure_within=len(clear_rows(within)))

# %% [markdown] tags=["needs-styles"]
# Within styles, {glue:text}`n_smaller` of the {glue:text}`n_features` correlations are weaker than
# over all songs, and {glue:text}`n_sure_within` differ clearly from zero after correction. Here,
# descriptors are tested one at a time; {doc}`07-objections` tests how well all descriptors together
# predict the ratings within styles.

# %% [markdown]
# ## Descriptors are correlated
#
# Thirty descriptors are not thirty independent measurements. Flux in one band rises with flux in the
# whole spectrum, and both rise with the level ({numref}`fig-collinear`). Two numbers measure this
# redundancy. The first is the effective number of dimensions, $(\sum \lambda)^2 / \sum \lambda^2$,
# where $\lambda$ are the eigenvalues of the correlation matrix $R$. The second is the *variance
# inflation factor* of descriptor $j$, $(R^{-1})_{jj}$: the factor by which its correlations with the
# other descriptors increase the variance of its coefficient in a joint regression.

# %%
matrix = features.rename(columns=titles).corr()
eigen = np.linalg.eigvalsh(matrix)
n_effective = eigen.sum() ** 2 / (eigen**2).sum()
inflation = np.diag(np.linalg.pinv(matrix.to_numpy(), hermitian=True))

# %% tags=["hide-input"]
show_figure(
    figures.plot_clustered_correlations(matrix),
    "collinear",
    f"Correlations between descriptors over {len(songs)} songs; similar descriptors are next to "
    "each other.",
    "Correlation matrix with dark red blocks on the diagonal, one of them for flux in adjacent bands.",
    table=matrix,
)
report_value("n_effective", n_effective, fmt=".1f")
report_counts(n_inflated=(inflation > 10).sum())

# %% [markdown]
# According to the eigenvalues, the {glue:text}`n_features` descriptors span about
# {glue:text}`n_effective` independent dimensions. Of these descriptors, {glue:text}`n_inflated` have
# a variance inflation factor above 10. In a joint regression, the standard errors of their
# coefficients are therefore more than three times as large as they would be if the descriptors were
# uncorrelated. Individual coefficients of such a regression cannot be interpreted, and neither can
# their signs. The useful question is how well the descriptors together *predict* the ratings.
#
# ## How well do descriptors predict the ratings?
#
# **Ridge regression** predicts the rating from all descriptors together. With the standardised
# descriptors $Z$ of the training songs (songs × descriptors) and their ratings $\mathbf{y}$, the
# weights are
#
# $$ \mathbf{w} = \left( Z^\top Z + \alpha I \right)^{-1} Z^\top (\mathbf{y} - \bar y) $$
#
# The penalty $\alpha$ keeps the weights of correlated descriptors small. We test the weights on songs
# that were not used to fit them: the songs are divided into four folds, each fold is predicted by a
# regression fitted to the other three, and all songs by the same artist are in the same fold. Such
# folds are created by scikit-learn's `GroupKFold`.

# %%
model = make_pipeline(StandardScaler(), Ridge(alpha=100))
split = {"groups": artists, "cv": GroupKFold(4)}
predicted = cross_val_predict(model, features, rating, **split)

# %% [markdown]
# The score is the out-of-fold R², which compares the squared errors of the predictions with those
# that we would make by always predicting the mean:
#
# $$ R^2 = 1 - \frac{\sum_i (y_i - \hat y_i)^2}{\sum_i (y_i - \bar y)^2} $$
#
# An R² of 1 means that the predictions are perfect, an R² of 0 that they are no better than always
# predicting the mean, and a negative R² that they are worse.

# %%
errors = ((rating - predicted) ** 2).sum()
r2 = 1 - errors / ((rating - rating.mean()) ** 2).sum()

# %% [markdown]
# Our `nested_ridge` can also clip the features and repeat the division into folds. Without these two
# steps, and with the same folds and penalty, it gives the same predictions to within $10^{-8}$:

# %%
folds = np.empty(len(songs), dtype=int)
tests = [test for _, test in GroupKFold(4).split(features, groups=artists)]
for number, test in enumerate(tests):
    folds[test] = number
plain = probe.Protocol(alphas=100.0, floor=0.0, clip=np.inf)
fixed = {"protocol": plain, "folds": folds}
nested = probe.nested_ridge(features, rating, artists, **fixed)
np.testing.assert_allclose(nested.predicted[0, :, 0], predicted, atol=1e-8)

# %% [markdown]
# With the arbitrary penalty $\alpha = 100$, R² is {glue:text}`plain_r2`. From here on, `nested_ridge`
# chooses the penalty by cross-validation *inside* the training songs, balances the styles across
# folds, and repeats the cross-validation with several random divisions into folds ({doc}`06-probing`
# explains each step). We compare ridge regression on the sixteen classical descriptors, ridge
# regression on all descriptors, and boosted trees. Trees can represent relations with an optimum and
# interactions between descriptors; a linear model cannot.

# %%
baseline = [name for name in descriptors.BASELINE if name in features]
protocol = probe.Protocol(n_repeats=n_repeats, seed=seed)
ratings, classical = rating.to_frame(target), features[baseline]

# %%
setting = (ratings, artists, styles, protocol)
results = {
    "style alone": probe.style_baseline(*setting),
    "ridge, classical": probe.nested_ridge(classical, *setting),
    "ridge, all": probe.nested_ridge(features, *setting),
    "trees, all": probe.nested_estimator(
        features, *setting, estimator="boosting", n_jobs=2
    ),
}
scores = summaries.score_table(results, **boot)

# %% [markdown]
# Two comparisons are of interest: descriptors with style alone (the prediction is the mean rating of
# the song's style), and trees with ridge regression. In each comparison, both models are tested on
# the same songs, so we resample the difference between their scores directly:

# %%
pairs = [("ridge, all", "style alone"), ("trees, all", "ridge, all")]
compared = probe.compare_models(results, pairs=pairs, n_boot=n_bootstrap)

# %% tags=["hide-input"]
bands = summaries.ceiling_bands(chapter.find_table("ceilings"), [target])
show_figure(
    figures.plot_scores(summaries.mark_test_only(scores), bands=bands),
    "descriptor-scores",
    f"Out-of-fold R² on {len(songs)} songs, with 95% intervals over artists. “Test songs only”: "
    "the interval ignores the random choice of training songs and is therefore too narrow. "
    "Shaded: the noise ceiling, if known.",
    "Forest plot: style alone and three models that use descriptors, with wide, overlapping intervals.",
    table=scores,
)
report_value("plain_r2", r2, n=len(songs))
names = ["style_r2", "classical_r2", "ridge_r2", "trees_r2"]
report_effects(scores.set_axis(names), len(songs))
leads = compared.set_axis(["over_style", "trees_lead"])
report_effects(leads, len(songs), value="difference")
report_texts(
    style_verdict=describe_difference(leads.loc["over_style"], "style alone"),
    trees_verdict=pick_verdict(
        leads.loc["trees_lead"],
        "Allowing for curves and interactions may help, but a correct, wider interval could "
        "include zero.",
        "Trees may be worse, but a correct, wider interval could include zero.",
        "There are too few songs to decide whether trees are better.",
    ),
)

# %% [markdown]
# Ridge regression on all descriptors reaches an R² of {glue:text}`ridge_r2_full` for
# “{glue:text}`target`”; on the sixteen classical descriptors alone, ridge regression reaches
# {glue:text}`classical_r2_full`. Predicting each song's rating as the mean rating of its style gives
# an R² of {glue:text}`style_r2_full`. The difference in R² (all descriptors minus style alone) is
# {glue:text}`over_style_full`: as predictors, the descriptors are {glue:text}`style_verdict`. The
# trees reach an R² of {glue:text}`trees_r2_full`; the difference in R² (trees minus ridge regression
# on all descriptors) is {glue:text}`trees_lead_full`. {glue:text}`trees_verdict`
#
# The intervals for style alone and for ridge regression come from resampling the artists of both
# training and test songs. For trees, resampling the training songs would require many more fits, so
# only the test songs are resampled. Such intervals are too narrow: in simulations, they contained the
# true R² in 65–85% of cases instead of the nominal 95%. The R² of the trees in
# {numref}`fig-descriptor-scores`, and the difference in R² between the trees and ridge regression,
# are therefore less certain than the intervals suggest.

# %% [markdown] tags=["needs-simulation"]
# ### Two control questions
# Would the descriptors seem to predict the answers to *any* question? The simulation has two control
# questions ({doc}`01-listeners-and-tracks`). The answers to the “placebo” question are unrelated to
# all descriptors, and the answers to the “style only” question depend on nothing but the style.
# {numref}`tab-controls` shows the same analysis for both control questions, and for
# “{glue:text}`target`”.

# %% tags=["needs-simulation"]
rows = {}
for question in (target, *data.controls):
    means = data.song_means(question)
    within = probe.correlate(features, means, artists, styles, **boot)
    ridge = probe.nested_ridge(features, means, artists, styles, protocol)
    style = probe.style_baseline(means, artists, styles, protocol)
    scored = summaries.score_table({"ridge": ridge, "style": style}, **boot)
    n_clear = len(clear_rows(within))
    rows[question] = [n_clear, *scored["estimate"], *scored["low"]]

# %% tags=["needs-simulation"]
columns = ["clear within styles", "ridge R²", "style R²"]
columns += ["ridge: low", "style: low"]
controls = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
controls.index = controls.index.str.replace("_", " ")
above_zero = controls.index[controls["ridge: low"] > 0]

# %% tags=["needs-simulation", "hide-input"]
show_table(
    controls.rename_axis("question"),
    "controls",
    f"Number of descriptors (of {features.shape[1]}) that correlate clearly with the answers "
    "within styles; out-of-fold R² of ridge regression on all descriptors and of style alone, "
    "with the lower limits of the 95% intervals.",
)
report_texts(controls=join_words(f"“{question}”" for question in above_zero))

# %% [markdown] tags=["needs-simulation"]
# For the following questions, the interval for the R² of ridge regression lies entirely above 0:
# {glue:text}`controls`. The descriptors can predict the answers to the “style only” question only in
# so far as they identify the style, because nothing else affects these answers. An R² above 0 is
# therefore not in itself evidence that listeners respond to a descriptor; a correlation *within*
# styles is better evidence.

# %% [markdown] tags=["needs-audio"]
# ## An inverted U?
#
# {cite:t}`witek2014` found an inverted U for funk drum breaks: breaks with medium syncopation were
# rated higher than breaks with low or high syncopation. For other drum patterns, {cite:t}`senn2018`
# found almost no relation between syncopation and ratings. {numref}`fig-inverted-u` shows two
# estimates of the relation between syncopation and ratings for our songs. The partial dependence
# {cite}`friedman2001` of the trees is the mean prediction when the syncopation of every song is set
# to the same value and all other descriptors are left unchanged. The second estimate is a parabola in
# the square root of syncopation, fitted with event density and low-frequency energy held constant.
# Different descriptors are held constant for the trees and for the parabola, so the two curves need
# not agree.
#
# A negative coefficient of the squared term does not prove an inverted U, because it also arises if
# the curve merely flattens. The two-lines test {cite}`simonsohn2018` fits one line below and one line
# above a break point. An inverted U requires a clearly positive slope below the break point and a
# clearly negative slope above it. The break point is estimated from the data: it lies near the
# turning point of a fitted smooth curve, and is shifted so that more songs fall on the side where the
# evidence for a slope is weaker.
#
# The result may depend on the other variables in the regression. Highly syncopated songs may also
# have many events or a fast tempo, or mostly belong to one style, and the data do not tell us which
# of these variables should be held constant. We therefore repeat the test with several sets of
# covariates, and report a shape only if all tests agree.

# %% tags=["needs-audio"]
syncopation = table["syncopation"].dropna()
inputs = features.loc[syncopation.index].assign(syncopation=syncopation)
artist = data.tracks.set_index("track_id").loc[syncopation.index, "artist"]
outcome = {"y": rating[syncopation.index], "artists": artist}
trees = probe.partial_dependence(
    inputs, **outcome, feature="syncopation", n_refits=n_refits, seed=seed
)

# %% tags=["needs-audio"]
x, constant = np.sqrt(syncopation), inputs[["event_density", "low_energy"]]
points = np.sqrt(trees["x"])
fitted, bend = probe.parabola(x, **outcome, covariates=constant, points=points)
fitted["x"] = trees["x"]
curves = pd.concat([trees.assign(kind="trees"), fitted.assign(kind="parabola")])

# %% tags=["needs-audio"]
tracks = songs.set_index("track_id").loc[syncopation.index]
style = pd.get_dummies(tracks["style"], dtype=float).iloc[:, 1:]
timing = inputs.filter(["microtiming_spread", "tempo"])
covariates = {
    "nothing": constant[[]],
    "style": style,
    "density, low frequencies": constant,
    "density, low frequencies, style": constant.join(style),
    "density, low frequencies, timing, tempo": constant.join(timing),
}
tests = {}
for name, adjusted in covariates.items():
    if len(x) > 5 + adjusted.shape[1]:  # more songs than coefficients
        tests[name] = probe.two_lines(x, **outcome, covariates=adjusted)
lines = tests["density, low frequencies"]
break_at = lines["break_at"].iloc[0]
beyond = tracks.loc[x > break_at, "style"].value_counts()

# %% [markdown] tags=["needs-audio"]
# How often does the two-lines test find an inverted U where there is none? To find out, we simulate
# ratings for the same songs that rise with syncopation up to a plateau and do not fall after it.

# %% tags=["needs-audio"]
bands, band = np.unique(artist, return_inverse=True)
z = ((x - x.mean()) / x.std()).to_numpy()


def finds_hump(run):
    rng = np.random.default_rng([seed, run])
    noise = 0.3 * rng.normal(size=len(bands))[band]  # differs between bands
    noise = noise + 0.8 * rng.normal(size=len(z))
    lines = probe.two_lines(x, np.minimum(z, 0.3) + noise, artist)
    return pick_shape(lines, True, False, False)


false_humps = np.mean([finds_hump(run) for run in range(n_plateaus)])

# %% [markdown] tags=["needs-simulation"]
# The ratings of the demo study are themselves simulated, so the true curve is known. The function
# `fixed_effects` returns the simulated effects on “{glue:text}`target`”. Effects on groove are given
# in points of the groove score; one point corresponds to 24 points of the scale from 1 to 100
# ({doc}`demo-study`). The effect of syncopation is a quadratic function of $z$, the standardised
# square root of syncopation.

# %% tags=["needs-simulation"]
from groove_utils.synth.questionnaire import fixed_effects

reference = data.truth("effects").query("component == 'reference'")
reference = reference.set_index("term")["value"]
true = fixed_effects(data.truth("effects_as_rated"), target)
unit, centre = reference[["syncopation_z:unit", "syncopation_z:centre"]]


def true_effect(x):
    z = (x - centre) / unit
    return true["syncopation_z"] * z + true["syncopation_z2"] * z**2


# %% tags=["needs-simulation"]
truth = true_effect(points) - true_effect(points).mean()
true_curve = trees[["x"]].assign(estimate=truth, kind="truth")
curves = pd.concat([curves, true_curve])

# %% tags=["needs-audio", "hide-input"]
index = "Syncopation from audio (Witek's index, per bar)"
show_figure(
    figures.plot_dependence(curves, syncopation, index, f"Effect on “{target}”"),
    "inverted-u",
    f"“{target}” by syncopation ({len(syncopation)} songs). Held constant: for the trees, all other "
    "descriptors; for the parabola, event density and low-frequency energy. Bands: 95% intervals over "
    "artists. Ticks: songs. Dashed: the simulated effect on ratings.",
    "Curves with wide bands: a stepped curve from the trees, a smooth parabola and, if known, the "
    "true curve (dashed), which rises, flattens and falls.",
    table=curves,
)
fmt = ".1f" if np.ptp(data.scales[target]) > 20 else ".2f"
shapes = summaries.shape_table(tests, fmt)
show_table(
    shapes,
    "two-lines",
    "The two-lines test with each set of covariates: slopes below and above the break point, in "
    f"points of “{target}” per unit of √syncopation, with 95% intervals over artists, and the "
    "numbers of songs and artists above the break point. The intervals take the break point as "
    "given and are therefore too narrow.",
)
report_effects(lines, "n_artists", prefix="slope_", fmt=fmt)
report_value("break_at", break_at**2, fmt=".1f")
signs = "clearly positive", "clearly negative", "not clearly different from zero"
report_effects({"bend": bend}, len(bands), words=signs)
report_percentages({"false_humps": false_humps}, n_plateaus)
report_counts(n_humps=(shapes["shape"] == "inverted U").sum(), n_sets=len(tests))
report_counts(n_beyond=beyond.sum(), bands_beyond=lines.loc["above", "n_artists"])
report_texts(
    style_beyond=", ".join(f"{name}: {count}" for name, count in beyond.items()),
    u_verdict=pick_robust_shape(
        tests.values(),
        "These songs show an inverted U, whatever is held constant.",
        "These songs show a U, the opposite of the expected shape, whatever is held constant.",
        "An inverted U cannot be shown with these songs.",
        "Whether an inverted U can be shown depends on what is held constant.",
    ),
)

# %% [markdown] tags=["needs-audio"]
# With event density and low-frequency energy held constant, the break point lies at a syncopation of
# {glue:text}`break_at`. The slope with respect to the square root of syncopation is
# {glue:text}`slope_below_full` below the break point and {glue:text}`slope_above_full` above it (n is
# the number of artists). The test finds an inverted U with {glue:text}`n_humps` of the
# {glue:text}`n_sets` sets of covariates in {numref}`tab-two-lines`. {glue:text}`u_verdict`
#
# Three more results matter here. First, {glue:text}`n_beyond` songs by {glue:text}`bands_beyond`
# artists lie above the break point (by style: {glue:text}`style_beyond`). If most of these songs
# belong to one style, the effect of syncopation can hardly be separated from that of the style.
# Second, the test mistakes a plateau for an inverted U in {glue:text}`false_humps` of the
# simulations. Third, the coefficient of the parabola's squared term is {glue:text}`bend_verdict`:
# {glue:text}`bend_full` points per squared standard deviation.
#
# Trees trained on only a few songs use only the descriptors that help most. A flat partial dependence
# therefore shows only that the trees ignored syncopation.

# %% [markdown] tags=["needs-simulation"]
# How close do the estimates come to the true curve? The top of the true curve is the point where its
# slope is zero. To find the true slope above the break point, we fit the same two lines to the true
# effects of the songs' syncopation instead of to their ratings.

# %% tags=["needs-simulation"]
top = centre - unit * true["syncopation_z"] / (2 * true["syncopation_z2"])
within_band = truth.between(fitted["low"], fitted["high"])

in_score = data.truth("songs").set_index("track_id")["syncopation"]
effect = true_effect(np.sqrt(in_score[syncopation.index]))
left, right = (x - break_at).clip(upper=0), (x - break_at).clip(lower=0)
design = pd.DataFrame({"left": left, "right": right, "step": 1.0 * (right > 0)})
fit = sm.OLS(effect, sm.add_constant(design.join(constant))).fit()
true_slope = fit.params["right"]

# %% tags=["needs-simulation", "hide-input"]
report_values({"peak": bend["peak"] ** 2, "true_peak": top**2}, fmt=".1f")
report_counts(points_inside=within_band.sum(), n_points=len(truth))
report_value("true_slope_above", true_slope, fmt=fmt)
report_texts(
    slope_word=pick_verdict(
        lines.loc["above"],
        "is clearly less steep",
        "is clearly steeper, so it overstates the inverted U",
        "is not clearly different from it",
        reference=true_slope,
    ),
)

# %% [markdown] tags=["needs-simulation"]
# In the demo study, an inverted U *is* among the simulated effects; its top is at a syncopation of
# {glue:text}`true_peak`. If a test fails to find this inverted U, this is therefore not evidence that
# there is none. The estimated break point is at {glue:text}`break_at` and the top of the parabola at
# {glue:text}`peak`; the true curve lies inside the parabola's 95% interval at
# {glue:text}`points_inside` of the {glue:text}`n_points` plotted points. Above the break point, the
# line fitted to the true effects has a slope of {glue:text}`true_slope_above`. The slope of the line
# fitted to the ratings, {glue:text}`slope_above_full`, {glue:text}`slope_word`.
#
# A single study cannot show how often a test misses an effect. {doc}`demo-study` counts missed
# effects over many simulated studies, but only for a test of the squared term that uses the exact
# values of syncopation, and not for the two-lines test. Syncopation measured from audio differs from
# syncopation computed from the score, especially for highly syncopated songs, and this error changes
# the shape of the curve.
#
# ## Can the estimates be trusted?
#
# The demo's songs were rendered from scores, so the true values of some descriptors are known. Each
# dot in {numref}`fig-descriptor-estimates` is a song; a dot on the diagonal line is a correct
# estimate. Bars join the estimates from the two halves of a song; bars that would extend beyond the
# plot are cut off at its edge. A long bar means that the estimate varies within the song.

# %% tags=["needs-simulation"]
pairs = {
    "tempo": "tempo",
    "event_density": "event_density",
    "syncopation": "syncopation",
    "syncopation_lhl": "syncopation_lhl",
    "microtiming_spread": "microtiming_ms",
    "swing_ratio": "swing_ratio",
}


# %% tags=["needs-simulation"]
def describe_halves(track):
    y, sr = data.load(track)
    halves = np.array_split(y, [len(y) // 2])
    return [descriptors.describe(half, sr)[list(pairs)] for half in halves]


tracks = data.tracks["track_id"]
by_half = Parallel(n_jobs=2)(delayed(describe_halves)(t) for t in tracks)
by_half = np.array(by_half, dtype=float)  # tracks × halves × quantities

# %% tags=["needs-simulation"]
truth = data.truth("songs").set_index("track_id").loc[tracks]
estimates = []
for k, (name, column) in enumerate(pairs.items()):
    rows = songs[["track_id", "artist", "style"]].assign(quantity=name)
    rows["truth"] = truth[column].to_numpy()
    rows["estimate"] = table[name].to_numpy()
    rows["low"] = by_half[:, :, k].min(axis=1)
    rows["high"] = by_half[:, :, k].max(axis=1)
    estimates.append(rows)
estimates = pd.concat(estimates, ignore_index=True)

# %% tags=["needs-simulation", "hide-input"]
show_figure(
    figures.plot_estimates(estimates, units[list(pairs)], data.styles),
    "descriptor-estimates",
    f"Estimates for {len(songs)} songs against the true values. Bars join the estimates from the two "
    "halves of a song.",
    "Six scatter plots: tempo lies on the diagonal; density and syncopation follow it with "
    "scatter; the spread of timing and the swing ratio follow it only loosely, with some dots far off.",
    table=estimates,
)

# %% [markdown] tags=["needs-simulation"]
# {numref}`tab-descriptor-quality` gives the numbers behind {numref}`fig-descriptor-estimates`: the
# correlation between estimates and true values, the bias, and the root mean square error. Bias and
# error are measured in standard deviations of the true values.

# %% tags=["needs-simulation"]
quality = probe.error_table(estimates, **boot).set_index("quantity")
weakest, drifting = quality["error"].idxmax(), quality["bias"].abs().idxmax()

# %% [markdown] tags=["needs-simulation"]
# An estimated tempo counts as right if it is within 4% of the true tempo, and as off by an octave if it
# is within 4% of half or double the true tempo:

# %% tags=["needs-simulation"]
ratio = table["tempo"].to_numpy() / truth["tempo"].to_numpy()
tempo_right = np.abs(ratio - 1) <= 0.04
tempo_octave = np.abs(np.abs(np.log2(ratio)) - 1) < np.log2(1.04)

# %% tags=["needs-simulation", "hide-input"]
show_table(
    quality.rename(index=titles, columns={"there": "its error"}).rename_axis(
        "descriptor"
    ),
    "descriptor-quality",
    "Estimates and true values: correlation with its 95% interval over artists; bias and root mean "
    "square error, in SDs of the true values; the style with the largest error, and the error in this "
    "style; number of songs.",
)
report_percentages({"tempo_right": tempo_right.mean()}, len(songs))
report_counts(tempo_octave=tempo_octave.sum())
quoted = {"tempo_r": quality.loc["tempo"], "weakest_r": quality.loc[weakest]}
report_effects(quoted, "n", value="r")
report_texts(
    weakest=words[weakest],
    weakest_style=quality.loc[weakest, "worst style"],
    drifting=words[drifting],
)

# %% [markdown] tags=["needs-simulation"]
# For {glue:text}`tempo_right` of the {glue:text}`n_songs` songs, the estimated tempo is within 4% of
# the true tempo. (Songs for which it is off by an octave, that is, by a factor of two:
# {glue:text}`tempo_octave`.) The correlation between estimated and true tempo is
# {glue:text}`tempo_r_full`. “{glue:text}`weakest`” has the largest error (in standard deviations of
# the true values); this error is largest in {glue:text}`weakest_style`; over all songs, its estimates
# correlate with the true values at r = {glue:text}`weakest_r_full`. “{glue:text}`drifting`” has the
# largest bias; a positive bias means that the estimates are too high.
#
# {numref}`fig-descriptor-estimates` shows two kinds of error. If the bar through a dot is *long*, a
# longer excerpt would help: a short excerpt contains too few strokes to estimate the spread of timing
# or the swing ratio. If a dot is far from the line and its bar is *short*, the estimates from the two
# halves share the same error, and a longer excerpt would not help. Possible causes of such errors are
# strokes masked by a loud chord, a grid that is half a beat off, and swing mistaken for late playing.
# Errors in a descriptor reduce its correlation with the ratings. A weak correlation may therefore be
# due to errors of the formula rather than to the listeners' responses.

# %% [markdown] tags=["needs-simulation"]
# ### Would a trained beat tracker do better?
#
# An error in the estimated beat affects most rhythm descriptors. BeatNet {cite:p}`heydari2021` is a
# network that was trained on music with annotated beats. At each moment, it estimates the probability
# of a beat. We replace the onset curve by the curve of these probabilities and find the beats in the
# same way as with the onset curve; BeatNet's own decoder is not used. We compare these beats with
# those found by librosa's tracker with its default settings {cite:p}`ellis2007`, and with those of
# the grid that the descriptors use. The true time of a beat is the median onset time of the notes
# that the score places on the beat.

# %% tags=["needs-simulation"]
from groove_utils.embed.models.beatnet import FRAME_RATE, beat_activations
from groove_utils.rhythm import compare_trackers, score_beats

on_beats = data.truth("onsets").query("step % 4 == 0")
true_beats = on_beats.groupby(["track_id", "bar", "step"])["time"].median()


def beats_of(track):
    y, sr = data.load(track)
    spectra = descriptors.analyse(y, sr)
    curve = descriptors.onset_strength(spectra)
    regions = descriptors.region_strength(spectra)
    grid = descriptors.estimate_grid(curve, regions, spectra.hop)
    activations = beat_activations(y, sr).max(axis=1)  # beat or downbeat
    return {
        "the descriptors' grid": grid.beats if grid else [],
        "librosa": librosa.beat.beat_track(y=y, sr=sr, units="time")[1],
        "BeatNet's curve": descriptors.track_beats(activations, 1 / FRAME_RATE),
    }


# %% tags=["needs-simulation"]
tracked = Parallel(n_jobs=2)(delayed(beats_of)(track) for track in tracks)
accuracy = pd.DataFrame(
    {"tracker": name, "song": track, "artist": artist}
    | score_beats(beats, true_beats[track])
    for track, artist, by_tracker in zip(tracks, artists, tracked)
    for name, beats in by_tracker.items()
)
trackers = compare_trackers(accuracy, **boot)
columns = ["gain", "gain_low", "gain_high"]  # over the descriptors' grid
gain = trackers.loc["BeatNet's curve", columns]
gain.index = ["estimate", "low", "high"]

# %% tags=["needs-simulation", "hide-input"]
show_table(
    trackers.drop(columns=columns).rename(
        columns={
            "f": "F-measure",
            "right": "tempo right",
            "octave": "off by an octave",
            "wrong": "tempo wrong",
        }
    ),
    "beat-trackers",
    "Beats within 70 ms of the true beats: F-measure with its 95% interval over artists. Tempo: share of "
    "songs in which the tempo is within 4% of the true tempo, of half or double the true tempo "
    "(octave), or of neither.",
)
verdicts = "better than", "worse than", "not clearly different from"
report_effects({"beatnet_gain": gain}, len(songs), words=verdicts)

# %% [markdown] tags=["needs-simulation"]
# The difference in F-measure (beats from BeatNet's curve minus beats from the grid) is
# {glue:text}`beatnet_gain_full`: in the simulation, BeatNet's curve is
# {glue:text}`beatnet_gain_verdict` the grid. Because the grid needs far less computation than a
# network, we keep it unless the network is clearly better. The grid has an advantage here, because it
# assumes a drum pattern that is typical of popular music, and our songs follow this pattern. Beats
# are harder to track in fast songs. The package's weekly tests use eight recorded metal songs with
# annotated tempi: for some of those with 170 to 190 beats per minute, both the grid and BeatNet's
# curve give half the annotated tempo, whereas librosa's tracker gives the annotated tempo for all
# eight songs. We do not test the beat tracker of the package madmom, because its weights may be used
# only for non-commercial purposes.

# %% [markdown]
# ## What could be wrong here
#
# - **Correlation is not causation.** Low-frequency energy may correlate with ratings because
#   listeners like bass, or because artists who are liked for other reasons use loud bass in their
#   mixes. To find out which explanation is right, {cite:t}`stupacher2016` manipulated the sound.
# - **A correlation measures only linear relations.** Even if the ratings follow an inverted U
#   perfectly, the correlation can be zero.
# - **The formulas involve choices.** Frame lengths and thresholds are taken from MIRtoolbox or were
#   chosen by us; other choices would give other values.
# - **Partial dependence averages over songs that could not exist.** If descriptors are correlated,
#   changing one of them and keeping the others fixed can give impossible combinations of values.
#
# ## Exercises
#
# The first exercise asks you to change one line of code; the last exercise has no single answer.
#
# ```{exercise} Let the folds leak
# :label: ex-leak
#
# Predict the ratings again, but replace `GroupKFold(4)` by `KFold(4, shuffle=True, random_state=0)`,
# so that songs by the same artist can be in both training and test folds. Call the new predictions
# `leaky` and their R² `leaky_r2`. Is this R² higher than before? What can the regression use now that
# it could not use before?
# ```
#
# ```{solution-start} ex-leak
# :class: dropdown
# ```

# %% tags=["solution"]
leaky = cross_val_predict(
    model, features, rating, cv=KFold(4, shuffle=True, random_state=0)
)
errors = ((rating - leaky) ** 2).sum()
leaky_r2 = 1 - errors / ((rating - rating.mean()) ** 2).sum()
leaky_r2, r2

# %% [markdown]
# The leaky R² need not be higher, because a single division into folds is subject to chance. Before
# you compare the two R² values, repeat the division with several values of `random_state`. A leak is
# wrong whether or not it raises the score in a single case, because the score no longer shows how
# well the ratings of songs by *new* artists are predicted.
#
# If songs by the same artist resemble each other in sound and in ratings, a leaky split rewards the
# regression for recognising the artist. The gain depends on how much of the variance of the ratings
# lies between artists, and on how many songs each artist has.
#
# ```{solution-end}
# ```

# %% tags=["check"]
assert len(leaky) == len(rating), "`leaky` should have one prediction per song"
assert not np.allclose(leaky, predicted), (
    "these are the predictions of the grouped folds: did you change `cv`?"
)
total = ((rating - rating.mean()) ** 2).sum()
assert np.isclose(1 - ((rating - leaky) ** 2).sum() / total, leaky_r2), (
    "`leaky_r2` is not the R² of `leaky`: compare it with the formula above"
)

# %% [markdown] tags=["needs-audio"]
# ```{exercise} Hear a descriptor
# :label: ex-hear
#
# Which descriptor do you trust? Choose a descriptor that correlates strongly with the ratings.
# *Within one style*, listen to the songs with the lowest and the highest value of this descriptor.
# Can you hear what the formula measures? Assign the two track ids to `extremes`, and the name of the
# descriptor to `name`.
# ```
#
# ```{solution-start} ex-hear
# :class: dropdown
# ```

# %% tags=["solution", "needs-audio"]
name = "rms_sd"
values = table.loc[styles == data.styles[0], name].dropna()
extremes = [values.idxmin(), values.idxmax()]
labels = [f"{data.song_names[t]} ({values[t]:.2f})" for t in extremes]
audio_player(dict(zip(labels, map(data.audio_path, extremes))))

# %% [markdown] tags=["needs-audio"]
# RMS variability is easy to hear: a high value means that there is silence between strokes, and a low
# value means that the sound is dense and continuous. Also listen to the extremes of
# `pulse_clarity_attack`, and describe what this descriptor measures. A descriptor is easier to hear
# within a style, because the two songs then differ less in other respects.
#
# ```{solution-end}
# ```

# %% tags=["check", "needs-audio"]
assert name in table, "`name` should be a column of `table`"
low, high = table.loc[extremes, name]
assert low < high, "the first song should be the one with the lower value"
assert data.tracks.set_index("track_id").loc[extremes, "style"].nunique() == 1, (
    "the two songs should be of the same style"
)

# %% [markdown]
# ```{exercise} A descriptor of your own
# :label: ex-tilt
#
# Divide the summed flux of bands 1 and 2 by that of bands 9 and 10, and call the ratio `tilt`. Does
# `tilt` correlate with the ratings? Does it improve the ridge regression? Why can the two answers
# differ?
# ```
#
# ```{solution-start} ex-tilt
# :class: dropdown
# ```

# %% tags=["solution"]
lows = table["band_1_flux"] + table["band_2_flux"]
tilt = lows / (table["band_9_flux"] + table["band_10_flux"])
wider = features.assign(tilt=tilt)
probe.nested_ridge(wider, ratings, artists, styles, protocol).scores()

# %% [markdown]
# The ratio may well correlate with the ratings and still add nothing, because the ridge regression
# already used the flux of these bands. What counts for prediction is information that the other
# descriptors do not contain.
#
# ```{solution-end}
# ```

# %% tags=["check"]
assert len(tilt) == len(table), "`tilt` should have one value per song"
assert (
    np.sign(tilt.corr(table["band_9_flux"] / table["band_1_flux"], "spearman")) < 0
), "`tilt` should fall when the high bands get stronger: did you invert the ratio?"

# %% [markdown]
# ```{exercise} Careless intervals
# :label: ex-careless
#
# This is an open question. Correlate the descriptors with the ratings without passing the argument
# `artists`, so that each song counts as an independent piece of evidence. How many correlations are
# clear now? Which of these correlations were not clear before, and which would you expect to
# disappear in songs by other artists?
# ```
#
# ```{solution-start} ex-careless
# :class: dropdown
# ```

# %% tags=["solution"]
careless = probe.correlate(features, rating, **boot)
len(clear_rows(careless)), len(clear_rows(overall))

# %% [markdown]
# If both the descriptor and the ratings are similar within artists, the intervals are narrower than
# they should be, and some correlations that look clear would disappear in songs by other artists. For
# a descriptor that varies as much within artists as between them, the interval changes little.
#
# ```{solution-end}
# ```

# %% [markdown]
# ## Summary
#
# **Asked**: how well formulas predict the ratings. **Found**: {glue:text}`n_sure` of
# {glue:text}`n_features` descriptors correlate clearly with “{glue:text}`target`”. The descriptors are
# correlated with each other, so individual coefficients mean little. Together, the descriptors predict
# the ratings of songs by new artists with an R² of {glue:text}`ridge_r2`; as predictors, they are
# {glue:text}`style_verdict`. {doc}`06-probing` compares this score with those of pretrained models on
# the same songs and folds.

# %% [markdown] tags=["needs-simulation"]
# **True in the simulation**: the estimated tempo is right for {glue:text}`tempo_right` of the songs,
# and the descriptor with the largest error is “{glue:text}`weakest`”. The simulated effect of
# syncopation is an inverted U. {glue:text}`u_verdict`

# %% [markdown]
# **What would change our mind**: very different correlations in songs by other artists. The intervals
# show how much the correlations may change.
#
# **Next:** {doc}`05-embeddings` shows how pretrained models represent these songs.
