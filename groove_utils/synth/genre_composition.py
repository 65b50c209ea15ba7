"""Composition of songs for the genre corpus: drums, bass, chords and lead."""

from __future__ import annotations

import numpy as np

from groove_utils.rhythm.grid import STEPS
from groove_utils.synth.arrangement import (
    DRUM_KEYS,
    STRUMMED,
    Hands,
    nearest_pitch,
    play_drums,
    play_lead,
    voice_chord,
)
from groove_utils.synth.genre_bands import GenreBand, draw_genre_band
from groove_utils.synth.genre_styles import GENRES, check_figure, parse_progression, to_velocities
from groove_utils.synth.patterns import play_fill
from groove_utils.synth.score import LEAD_IN, Clock, Note, Song

__all__ = ["compose_genre_song"]

TEMPO_RANGE = (56.0, 176.0)  # BPM
CYMBALS = ("hat", "open_hat", "ride", "shaker", "tambourine")
MINOR_KINDS = ("m", "m7", "m9")


def compose_genre_song(
    style: str, band: int, song: int, *, seconds: float = 12.0, seed: int = 0,
    tempo: float | None = None,
) -> tuple[Song, GenreBand]:  # fmt: skip
    """Compose one song for the genre corpus.

    Parameters
    ----------
    style : str
        One of :data:`groove_utils.synth.genre_styles.GENRES`.
    band, song : int
        Index of the band within its style, and index of the song within the band (0, 1, …).
    seconds : float
        Length of the audio in seconds. The song has enough bars (at least two) to fill it.
    seed : int
        Seed of the corpus.
    tempo : float, optional
        Tempo in BPM, at most 176, which does not affect the notes; random by default.

    Returns
    -------
    song : Song
        The song. Its tempo is in quarter notes per minute; a bar has 16 sixteenths.
    band : GenreBand
        The band that plays the song.

    Examples
    --------
    >>> song, band = compose_genre_song("disco", 0, 1)
    >>> song.track_id, sorted({note.stem for note in song.notes if note.part == "bass"})
    ('disco-01-2', ['bass'])
    """
    group = draw_genre_band(style, band, seed)
    rng = np.random.default_rng([seed, 12, GENRES.index(style), band, song])
    habits, drawn = group.band.habits, _draw_tempo(rng, group)
    fastest = drawn if tempo is None else TEMPO_RANGE[1]  # same number of bars for all given tempi
    tempo = drawn if tempo is None else tempo
    n_bars = max(2, int(np.ceil((seconds - LEAD_IN) * fastest / 240)))
    swing = round(float(np.clip(habits["swing"] + rng.normal(0, 0.04), 1.0, 1.8)), 3)
    within = group.sheet("drums")["density"][2]
    density = float(np.clip(habits["density"] + within * rng.standard_normal(), 0, 1))
    offsets = {"kick": 0.0} | {
        player: habits[f"{player}_ms"] + float(rng.normal(0, 1.5))
        for player in ("snare", "hat", "bass")
    }
    key = int(rng.integers(12))
    clock = Clock(rng, n_bars, tempo, swing, offsets, habits["jitter_ms"])
    drums = _draw_drums(rng, group, n_bars, density)
    chords = parse_progression(_pick(rng, group.figures["harmony"]))
    chords = [chords[bar % len(chords)] for bar in range(n_bars)]
    notes = play_drums(rng, drums, clock)
    line, bass = _play_bass(rng, group, chords, key, clock)
    notes += line
    hands = Hands(rng, clock)
    for part in ("chords", "second"):
        _play_part(hands, part, group, chords, key)
    notes += hands.notes
    lead = group.sheet("lead")["lead"]
    melody = play_lead(
        rng, group.band, chords, key, clock,
        scale=lead["scale"], phrases=group.figures["lead"], centres=tuple(lead["centre"]),
    )  # fmt: skip
    if rng.random() < habits["sing"] + 0.3:
        notes += [note._replace(stem=group.band.parts["lead"].stem) for note in melody]
    score = Song(
        track_id=f"{style}-{band + 1:02d}-{song + 1}",
        title=f"Song {song + 1}",
        band=group.band,
        tempo=tempo,
        n_bars=n_bars,
        swing_ratio=swing,
        key=key,
        loudness=float(group.mix["loudness"] + rng.normal(0, 0.4)),
        offsets=offsets,
        jitter_ms=habits["jitter_ms"],
        drums=drums,
        bass=bass,
        notes=sorted(notes, key=lambda note: (note.time, note.part, note.pitch)),
    )
    return score, group


def _draw_tempo(rng, group: GenreBand) -> float:
    tempo = group.band.habits["tempo"] + group.sheet("tempo")["tempo"][2] * rng.standard_normal()
    return round(float(np.clip(tempo, *TEMPO_RANGE)), 1)


def _pick(rng, options: list):
    return options[int(rng.integers(len(options)))]


def _draw_drums(rng, group: GenreBand, n_bars: int, density: float) -> dict[str, np.ndarray]:
    """Generate a drum part: one of the band's figures, with variations and fills."""
    sheet, figure = group.sheet("drums"), _pick(rng, group.figures["drums"])
    parts = {name: np.zeros((n_bars, STEPS), int) for name in DRUM_KEYS}
    for name, text in figure.items():
        two_bars = np.tile(to_velocities(text), (2, 1))
        soft = (two_bars > 0) & (two_bars < 70)
        two_bars[soft & (rng.random(two_bars.shape) > 0.2 + 0.8 * density)] = 0
        if name in CYMBALS:  # sparse songs omit more cymbal strokes on odd sixteenths
            odd = np.arange(STEPS) % 2 == 1
            two_bars[:, odd & (rng.random(STEPS) > 0.3 + 1.2 * density)] = 0
        if name == "kick" and rng.random() < sheet["freedom"]:
            _vary_kick(rng, two_bars[1])
        parts[name][:] = np.resize(two_bars, (n_bars, STEPS))
    for bar in range(3, n_bars, 4):
        if rng.random() < sheet["fill"]:
            play_fill(rng, parts, bar, density)
            if bar + 1 < n_bars:
                parts["crash"][bar + 1, 0] = 108
    return parts


def _vary_kick(rng, kick: np.ndarray) -> None:
    """Vary a kick figure in place: move one stroke by a sixteenth, or add a stroke."""
    inner = np.flatnonzero(kick[1:]) + 1
    if inner.size and rng.random() < 0.5:
        at = int(rng.choice(inner))
        kick[at] = 0
        kick[int(np.clip(at + rng.choice([-1, 1]), 1, STEPS - 1))] = 98
    else:
        kick[int(rng.choice([3, 6, 7, 10, 11, 14, 15]))] = 92


def _play_bass(rng, group: GenreBand, chords, key: int, clock: Clock):
    """Generate a bass line from the band's figures.

    Return the notes, and a bool array of shape (n_bars, 16) that is True at the grid positions
    where the notes start.
    """
    sheet = group.sheet("bass")["bass"]
    centre = int(rng.integers(sheet["centre"][0], sheet["centre"][1] + 1))
    first = check_figure(_pick(rng, group.figures["bass"]))
    second = first if rng.random() < 0.6 else check_figure(_pick(rng, group.figures["bass"]))
    letters = np.array([list((first, second)[bar % 2]) for bar in range(len(chords))])
    letters[rng.random(letters.shape) < 0.06] = "."
    grid = letters != "."
    roots = [nearest_pitch((key + root) % 12, centre) for root, _ in chords]
    steps, notes = np.flatnonzero(grid), []
    for at, gap in zip(steps, np.diff(steps, append=grid.size)):
        bar, step = divmod(int(at), STEPS)
        third = 3 if chords[bar][1] in MINOR_KINDS else 4
        above = {"r": 0, "o": 12, "f": 7, "t": third, "s": 10}
        letter = letters[bar, step]
        if letter == "a":
            pitch = roots[(bar + 1) % len(chords)] + int(rng.choice([-2, -1, 2]))
        else:
            pitch = roots[bar] + above[letter]
        velocity = int(np.clip((112 if step % 4 == 0 else 98) + rng.normal(0, 6), 50, 127))
        length = max(0.07, min(gap, 8) * clock.sixteenth * sheet["length"])
        time = clock.time(bar, step, "bass")
        notes.append(Note("bass", "bass", time, length, pitch, velocity, bar, step))
    return notes, grid


def _play_part(hands: Hands, part: str, group: GenreBand, chords, key: int) -> None:
    """Add a part that plays chords or single chord tones, using two of the band's figures."""
    rng, sheet = hands.rng, group.sheet(part)[part]
    figures = [check_figure(_pick(rng, group.figures[part])) for _ in range(2)]
    if rng.random() < 0.7:
        figures[1] = figures[0]
    centre = int(rng.integers(sheet["centre"][0], sheet["centre"][1] + 1))
    staccato, longest = sheet["length"]
    spread = 0.008 if group.band.parts[part].program in (24, *STRUMMED) else 0.0
    every = sheet.get("every", 1)
    for bar, chord in enumerate(chords):
        if bar % every != every - 1:
            continue
        figure = figures[(bar // every) % 2]
        pitches = voice_chord(chord, key, centre)
        steps = [step for step, letter in enumerate(figure) if letter != "."]
        for step, gap in zip(steps, np.diff(steps, append=STEPS)):
            letter = figure[step]
            played = pitches
            if letter.isdigit():
                octave, tone = divmod(int(letter) - 1, len(pitches))
                played = [pitches[tone] + 12 * octave]
            velocity = (60 if letter == "o" else 96 if step % 4 == 0 else 86) + rng.normal(0, 3)
            length = min(gap * staccato, longest)
            hands.strike(part, bar, step, length, played, velocity, least=0.07, spread=spread)
