"""Recognise the columns of ratings spreadsheets by their names."""

from __future__ import annotations

import re
import unicodedata

__all__ = [
    "CONDITIONS", "HEADERS", "NO_ANSWER", "NO_QUESTIONS", "STATISTIC", "TRACK_FACTS",
    "counts_repetitions", "header_words", "is_technical", "may_be_question", "plain_header",
]  # fmt: skip

# accepted column names, in order of preference; endings such as _id and _nr are ignored
HEADERS = {
    "track_id": [
        "track", "song", "stimulus", "stim", "clip", "excerpt", "sound", "file", "filename",
        "audio", "soundfile", "audiofile",
        "stimfile", "stuck", "musikstuck", "lied", "datei", "dateiname", "horbeispiel", "morceau",
        "extrait", "fichier", "cancion", "archivo", "item", "trial", "id",
    ],
    "listener_id": [
        "listener", "participant", "subject", "rater", "respondent", "response_id", "prolific_pid",
        "pid", "ppt", "subj", "user", "worker", "participant_private", "participant_public",
        "vpn", "vp", "proband", "probandin", "teilnehmer", "versuchsperson", "sujet", "sujeto",
        "participante", "email", "email_address", "recipient_email", "id",
    ],
    "query": ["query", "question", "measure", "frage", "item", "zone", "object"],
    "rating": ["rating", "score", "response", "value", "answer", "bewertung", "urteil"],
}  # fmt: skip
REPETITIONS = {"repetition", "repeat", "rep", "presentation", "session", "block", "run", "trial"}
CONDITIONS = {"condition", "cond", "version", "treatment", "group", "mode"}
# columns added by survey and experiment software that describe neither listeners nor tracks
TECHNICAL = {
    "order", "position", "index", "trialindex", "row", "rt", "reactiontime", "responsetime", "time",
    "timeelapsed", "timestamp", "date", "datum", "startdate", "enddate", "recordeddate", "status",
    "progress", "finished", "durationinseconds", "locationlatitude", "locationlongitude",
    "ipaddress", "email", "emailaddress", "recipientemail", "recipientfirstname",
    "recipientlastname", "externalreference", "distributionchannel", "userlanguage", "consent",
    "experiment", "seed", "started", "submitdate", "datesubmitted", "lastpage", "startlanguage",
    "timesum", "timersi", "degtime", "missing", "missrel", "lastdata", "maxpage", "questnnr",
}  # fmt: skip
NO_QUESTIONS = REPETITIONS | CONDITIONS | {"age", "alter", "geschlecht", "year", "duration"}
# columns in tables with one row per track: properties of tracks, and statistics of ratings
TRACK_FACTS = {"bpm", "tempo", "duration", "length", "seconds", "year", "loudness", "lufs"}
STATISTIC = re.compile(r"(?:^|_)(?:sd|std|se|sem|var|variance|n|num|count|raters|ci|iqr)(?:_|$)")
# endings of column names that show that a column contains no answers, in exports from PsychoPy
# (`slider.rt`), Qualtrics (`t_Page Submit`), SoSci Survey (`TIME001`) and lab.js (`time_run`)
NO_ANSWER = re.compile(
    r"(?:^|_)(?:rt|this_(?:n|rep_n|trial_n|index)|started|stopped|frame_rate|page_submit"
    r"|(?:first|last)_click|click_count|time\d+|time_(?:run|render|show|end|commit|switch))$"
)


def may_be_question(name: str) -> bool:
    """Return False if a column's name, such as “age”, shows that it is not a question."""
    return plain_header(name) not in NO_QUESTIONS and not is_technical(name)


def counts_repetitions(name: str) -> bool:
    """Return True if a column's name suggests that the column numbers repeated ratings of a track.

    Examples
    --------
    >>> counts_repetitions("session"), counts_repetitions("trials.thisRepN")
    (True, True)
    """
    words = header_words(name)
    return plain_header(name) in REPETITIONS or words.endswith(("this_rep_n", "trial_index"))


def is_technical(name: str) -> bool:
    """Return True if a column, judging by its name, was added by survey or experiment software.

    Examples
    --------
    >>> is_technical("LocationLatitude"), is_technical("slider.rt"), is_technical("age")
    (True, True, False)
    """
    joined = plain_header(name).replace("_", "")
    return joined in TECHNICAL or bool(NO_ANSWER.search(header_words(name)))


def plain_header(name: str) -> str:
    """Normalise a column's name using :func:`header_words`, and drop an ending such as ``_id``.

    Examples
    --------
    >>> plain_header("ResponseId"), plain_header("Subject Nr."), plain_header("PROLIFIC_PID")
    ('response', 'subject', 'prolific_pid')
    """
    words = header_words(name).removeprefix("spreadsheet_")  # prefix of stimulus columns in Gorilla
    return re.sub(r"_(id|code|nr|no|num|number|name|key|file)$", "", words)


def header_words(name: str) -> str:
    """Convert a column's name to lower-case words without accents, joined by underscores.

    Examples
    --------
    >>> header_words("Zone Type"), header_words("ResponseId"), header_words("Stück")
    ('zone_type', 'response_id', 'stuck')
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", unicodedata.normalize("NFKD", name))
    words = re.sub(r"[\u0300-\u036f]", "", words).lower()
    return re.sub(r"[^a-z0-9]+", "_", words).strip("_")
