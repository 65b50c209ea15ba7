"""The groove score, and its description in text."""

import re

import pandas as pd
import pytest

from groove_utils.synth import describe_score, groove_score
from groove_utils.synth.questionnaire import QUESTIONS, SCALE, question_table


class Simulated:
    """Study with a groove score, whose scale follows from extreme ratings on four questions."""

    def __init__(self, known=True):
        ends = pd.DataFrame({query: SCALE for query in QUESTIONS if query != "groove"})
        self.scales = dict.fromkeys(QUESTIONS, SCALE) | {"groove": tuple(groove_score(ends))}
        self.known = known

    def has(self, what):
        return self.known and what == "truth"

    def truth(self, name):
        assert name == "questions"
        return question_table()


def test_words_and_numbers_describe_the_same_score():
    text = describe_score(Simulated(), "groove")
    parts = re.findall("“(.*?)”", text)[:4]
    centre, unit = map(int, re.search(r"(\d+) is subtracted.*divided by (\d+)", text).groups())
    answers = pd.DataFrame([{query: 11.0 * n for n, query in enumerate(QUESTIONS)}])
    by_words = (answers[parts].mean(axis=1) - centre) / unit
    assert by_words[0] == pytest.approx(groove_score(answers)[0])
    assert f"One point of “groove” corresponds to {unit} rating points" in text


def test_only_a_simulated_score_is_described():
    assert describe_score(Simulated(), "dance") == ""
    assert describe_score(Simulated(known=False), "groove") == ""
