"""What others have written: taken as its type says, or refused with the place of the fault."""

from typing import Annotated, Any

import msgspec
import pytest

from shared.domain.conversion import Misfit, converted


class ConvertedPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size: Annotated[int, msgspec.Meta(ge=1)]

    def __post_init__(self) -> None:
        if self.size == 13:
            raise ValueError("size: brings bad luck")


class Whole(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    parts: tuple[ConvertedPart, ...] = ()


@pytest.mark.parametrize(
    ("said", "at", "why"),
    [
        ([], "", "Expected `object`, got `array`"),
        ({"part": 1}, ".part", "there is no such field"),
        ({"parts": [{"size": 1}, {}]}, ".parts[1].size", "it is missing"),
        ({"parts": [{"size": 1, "weight": 2}]}, ".parts[0].weight", "there is no such field"),
        ({"parts": [{"size": "1"}]}, ".parts[0].size", "Expected `int`, got `str`"),
        ({"parts": [{"size": 0}]}, ".parts[0].size", "Expected `int` >= 1"),
        ({"parts": [{"size": 13}]}, ".parts[0].size", "brings bad luck"),
    ],
)
def test_a_fault_is_told_with_its_place(said: Any, at: str, why: str) -> None:
    with pytest.raises(Misfit) as refused:
        converted(said, Whole)
    assert (refused.value.at, refused.value.why) == (at, why)


def test_a_text_stands_for_a_number_only_where_it_may() -> None:
    assert converted({"size": "7"}, ConvertedPart, strict=False) == ConvertedPart(7)
    with pytest.raises(Misfit):
        converted({"size": "7"}, ConvertedPart)
