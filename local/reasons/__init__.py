"""What each reason means and what to do about it: data, one table for each part of the product, for docs/reasons.md."""

from typing import NamedTuple

from shared.domain.reasons import Reason


class ReasonText(NamedTuple):
    """A sentence on what has happened, and one on what to do."""

    meaning: str
    advice: str


type Texts = dict[Reason, ReasonText]
