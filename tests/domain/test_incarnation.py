"""What AKS sends tells one incarnation from another; what it doesn't send tells nothing."""

import pytest

from shared.domain.incarnation import Incarnation

NOTHING = Incarnation()
EARLIER = Incarnation.read("2026-12-01T08:00:00+00:00")
SETTLED = Incarnation.read("earlier=2026-12-01T08:00:00+00:00,principal=a,uid=1")


def known(principal: str = "", uid: str = "") -> Incarnation:
    return Incarnation(principal=principal, uid=uid)


@pytest.mark.parametrize(
    ("one", "other", "same", "another"),
    [
        (known("a"), known("a"), True, False),
        (known("a"), known("A"), True, False),
        (known("a"), known("b"), False, True),
        (known("a", "1"), known("b", "1"), True, False),
        (known("a", "1"), known("a", "2"), False, False),
        (known("a", "1"), known("b", "2"), False, True),
        (known("", "1"), known("a", "2"), False, True),
        (known("a"), known("", "1"), False, False),
        (known("a", "1"), NOTHING, False, False),
        (EARLIER, known("a", "1"), False, False),
        (EARLIER, EARLIER, False, False),
        (SETTLED, known("a"), True, False),
        (SETTLED, known("b"), False, True),
        (NOTHING, NOTHING, False, False),
    ],
)
def test_only_what_both_tell_makes_two_the_same_or_different(
    one: Incarnation, other: Incarnation, *, same: bool, another: bool
) -> None:
    for left, right in ((one, other), (other, one)):
        assert (left.same(right), left.another(right)) == (same, another)


@pytest.mark.parametrize("told", [known("a", "1"), known("a"), known("", "1"), NOTHING, EARLIER, SETTLED])
def test_a_tag_tells_what_was_written_into_it(told: Incarnation) -> None:
    assert Incarnation.read(told.text) == told


@pytest.mark.parametrize(
    "text", ["the day before", "2026-13-01", "principal=a", "principal=a,uid=1,more", "earlier=x,principal=a,uid="]
)
def test_a_tag_that_nobody_wrote_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Incarnation.read(text)


@pytest.mark.parametrize("earlier", ["2026-12-01T08:00:00+00:00", ""])
def test_a_tag_that_an_operator_settled_keeps_the_names_that_an_earlier_version_made(earlier: str) -> None:
    settled = Incarnation.read(f"earlier={earlier},principal=a,uid=")
    assert settled.key == Incarnation.read(earlier).key
    assert settled.text == f"earlier={earlier},principal=a,uid="
