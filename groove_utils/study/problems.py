"""What is wrong with a study folder, said so that its owner can mend it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Problem", "StudyError"]


@dataclass(frozen=True)
class Problem:
    """One thing that keeps a study folder from being used.

    Parameters
    ----------
    file : str
        File, relative to the study folder.
    found : str
        What was found there.
    expected : str
        What was expected instead.
    mend : str
        How to put it right.
    row : int, optional
        Line of the file, the header being line 1; None where the problem is not in one row.
    """

    file: str
    found: str
    expected: str
    mend: str
    row: int | None = None

    def __str__(self) -> str:
        place = self.file if self.row is None else f"{self.file}, row {self.row}"
        return f"{place}: found {self.found}; expected {self.expected}. {self.mend}"


class StudyError(ValueError):
    """A study folder that cannot be used; lists every problem at once.

    Attributes
    ----------
    problems : list of Problem
    """

    def __init__(self, folder: object, problems: list[Problem]):
        self.problems = list(problems)
        lines = "\n".join(f"  {k}. {problem}" for k, problem in enumerate(self.problems, 1))
        noun = "problem" if len(self.problems) == 1 else "problems"
        super().__init__(f"The study in {folder} has {len(self.problems)} {noun}:\n{lines}")
