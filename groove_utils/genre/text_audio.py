"""Zero-shot recognition of genre and groove with CLAP, a model that compares sounds with texts.

Audio vectors are taken from the layer ``audio_embeds`` of a CLAP model, and text vectors are
returned by :func:`groove_utils.embed.embed_text`. Both have the shape (n, dim) and are compared by
cosine similarity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import softmax
from scipy.stats import spearmanr

from groove_utils.embed import embed_text, embed_tracks
from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.extract import Signal
from groove_utils.embed.weights import availability
from groove_utils.errors import DetailedError
from groove_utils.genre.calibration import calibration_error
from groove_utils.stats.wording import join_words

__all__ = [
    "GROOVE_SENTENCES",
    "TEMPLATES",
    "find_text_model",
    "graded_ratings",
    "prompt_sensitivity",
    "summarise_text_model",
    "zero_shot",
]

SCALE = 100.0
"""Factor applied to cosine similarities before the softmax: the upper limit in training CLAP."""

TEMPLATES = (
    "{}",
    "{} music",
    "a {} song",
    "this is a recording of {}",
    "a band plays {}",
    "the genre of this track is {}",
)

GROOVE_SENTENCES = {
    "groove": (
        "music without any groove",
        "music with some groove",
        "music with a strong groove",
    ),
    "dance": (
        "music that nobody can dance to",
        "music that one could dance to",
        "music that makes everybody want to dance",
    ),
    "listen": (
        "music that is no pleasure to listen to",
        "music that is pleasant to listen to",
        "music that is a great pleasure to listen to",
    ),
    "beat": (
        "music whose beat nobody can find",
        "music whose beat can be found",
        "music whose beat is very easy to find",
    ),
    "rhythm": (
        "music with a dull rhythm",
        "music with a fairly interesting rhythm",
        "music with a very interesting rhythm",
    ),
    "disturbing": (
        "music in which nothing is disturbing",
        "music in which something is slightly disturbing",
        "music in which something is very disturbing",
    ),
    "party": (
        "music that would empty a party",
        "music that one could play at a party",
        "music that is perfect for a party",
    ),
}
"""Sentences that describe three levels, from low to high, for each question in the demo study."""

TextEncoder = Callable[[Sequence[str]], np.ndarray]


def find_text_model() -> tuple[str | None, str]:
    """Find a catalogued model that compares sound with text and is available on this machine.

    Returns
    -------
    name : str or None
        Name of the first available model; None if no model is available.
    how : str
        Command to make a model available; empty if a model is already available.
    """
    cards = [card for card in catalogued_models().values() if card.text_files]
    for card in cards:
        if availability(card)[0]:
            return card.name, ""
    return None, availability(cards[0])[2]


def zero_shot(audio: np.ndarray, texts: Sequence[np.ndarray], scale: float = SCALE) -> np.ndarray:
    """Compute class probabilities for sounds from their similarity to descriptions of the classes.

    Parameters
    ----------
    audio : ndarray, shape (n, dim)
        Audio vectors.
    texts : sequence of ndarray, each of shape (n_texts, dim)
        Text vectors for each class. They are normalised, and their mean represents the class.
    scale : float
        Factor by which cosine similarities are multiplied before the softmax. If labelled sounds
        are available, calibrate the result with :func:`groove_utils.genre.fit_temperature`.

    Returns
    -------
    ndarray of float64, shape (n, n_classes)
        Class probabilities.

    Raises
    ------
    DetailedError
        If audio and text vectors have different numbers of dimensions.

    References
    ----------
    Radford et al. (2021), "Learning transferable visual models from natural language supervision",
    ICML; Wu et al. (2023), arXiv:2211.06687.

    Examples
    --------
    >>> zero_shot(np.array([[1.0, 0.0]]), [np.array([[2.0, 0.0]]), np.array([[0.0, 1.0]])], 1.0)
    array([[0.73105858, 0.26894142]])
    """
    classes = np.stack([_unit(np.mean(_unit(text), axis=0)) for text in texts])
    if audio.ndim != 2 or audio.shape[1] != classes.shape[1]:
        raise DetailedError(
            f"audio vectors have the shape {audio.shape}, and text vectors have {classes.shape[1]} "
            "dimensions; expected vectors of shape (n, dim) from the same model.",
            kind="other_shape", value=audio.shape,
        )  # fmt: skip
    return softmax(scale * _unit(audio) @ classes.T, axis=1)


def prompt_sensitivity(
    audio: np.ndarray, y: np.ndarray, styles: Sequence[str], encode: TextEncoder,
    templates: Sequence[str] = TEMPLATES,
) -> tuple[pd.DataFrame, np.ndarray]:  # fmt: skip
    """Compute zero-shot accuracy for each wording of a prompt, and for all wordings combined.

    Parameters
    ----------
    audio : ndarray, shape (n, dim)
        Audio vectors.
    y : ndarray of int, shape (n,)
        Style of each sound, as an index into `styles`.
    styles : sequence of str
        Names of the styles.
    encode : callable
        Function that converts sentences to vectors of shape (n_texts, dim), such as
        :func:`groove_utils.embed.embed_text`.
    templates : sequence of str
        Wordings of the prompt, with ``{}`` as a placeholder for the name of the style.

    Returns
    -------
    scores : DataFrame
        One row per wording, followed by a row ``all together`` for all wordings combined, with
        columns ``wording, accuracy, changed``. The column ``changed`` contains the proportion of
        sounds whose prediction differs from the prediction with all wordings combined.
    p : ndarray, shape (n, n_styles)
        Class probabilities with all wordings combined.
    """
    sentences = [template.format(style) for style in styles for template in templates]
    vectors = np.asarray(encode(sentences)).reshape(len(styles), len(templates), -1)
    p = zero_shot(audio, [*vectors])
    together = p.argmax(axis=1)
    guesses = {
        template: zero_shot(audio, [*vectors[:, [k]]]).argmax(axis=1)
        for k, template in enumerate(templates)
    }
    rows = [
        {"wording": name, "accuracy": (g == y).mean(), "changed": (g != together).mean()}
        for name, g in [*guesses.items(), ("all together", together)]
    ]
    return pd.DataFrame(rows), p


def graded_ratings(
    audio: np.ndarray, encode: TextEncoder,
    sentences: Mapping[str, Sequence[str]] = GROOVE_SENTENCES, scale: float = SCALE,
) -> pd.DataFrame:  # fmt: skip
    """Rate sounds by their similarity to sentences that describe the levels of a rating scale.

    Parameters
    ----------
    audio : ndarray, shape (n, dim)
        Audio vectors.
    encode : callable
        As in :func:`prompt_sensitivity`.
    sentences : mapping of str to sequence of str
        Sentences for each question, from the lowest to the highest level.
    scale : float
        As in :func:`zero_shot`.

    Returns
    -------
    DataFrame of float, n × questions
        Expected level of each sound for each question, between 0 and one less than the number of
        sentences.
    """
    columns = {}
    for question, levels in sentences.items():
        vectors = np.asarray(encode(list(levels)))
        p = zero_shot(audio, [*vectors[:, None]], scale)
        columns[question] = p @ np.arange(len(levels))
    return pd.DataFrame(columns)


def summarise_text_model(
    sounds: Mapping[str, Signal], y: np.ndarray, styles: Sequence[str],
    rated: Mapping[str, Signal] | None = None, ratings: pd.DataFrame | None = None,
) -> str:  # fmt: skip
    """If a CLAP model is available, describe how well it classifies styles and rates songs.

    Parameters
    ----------
    sounds : mapping of str to path or (signal, sample rate)
    y : ndarray of int, shape (n,)
        Style of each sound, as an index into `styles`.
    styles : sequence of str
    rated : mapping, optional
        Sounds that were rated by listeners, in the same form as `sounds`.
    ratings : DataFrame, optional
        Mean ratings, with one row per sound in `rated` and one column per question. The questions
        must be keys of :data:`GROOVE_SENTENCES`. Missing ratings are ignored.

    Returns
    -------
    str
        A few sentences to show in a chapter. If no model is available, they explain how to download
        one.
    """
    name, how = find_text_model()
    if name is None:
        return (
            "The weights of CLAP are not on this machine, so nothing was computed. "
            f"To download them, run “{how}”."
        )
    audio = embed_tracks(sounds, name).layers["audio_embeds"]
    scores, p = prompt_sensitivity(audio, y, styles, embed_text)
    wordings = scores["accuracy"].iloc[:-1]
    text = (
        f"{name} classifies {100 * scores['accuracy'].iloc[-1]:.0f}% of the songs correctly "
        "when several wordings are combined, without any training on these songs. Single wordings "
        "classify "
        f"{100 * wordings.min():.0f}% to {100 * wordings.max():.0f}% correctly. The expected "
        f"calibration error is {calibration_error(y, p):.2f} with all wordings combined."
    )
    if rated and ratings is not None:
        audio = embed_tracks(rated, name).layers["audio_embeds"]
        questions = {question: GROOVE_SENTENCES[question] for question in ratings}
        graded = graded_ratings(audio, embed_text, questions)
        correlations = [
            f"{spearmanr(graded[q], ratings[q], nan_policy='omit').statistic:.2f} ({q}, "
            f"n = {ratings[q].count()})"
            for q in questions
        ]
        text += (
            " The rank correlations between ratings from graded sentences and the listeners' mean "
            f"ratings of songs are {join_words(correlations)}."
        )
    return text


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, dtype=np.float64)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
