"""What the search through small rotations sees: no broken promise where none is expected, and each one that is."""

import pytest

from local.explorer.hazards import Hazards, issuer_put_back, run_lost
from local.explorer.search import Bound, explored
from local.explorer.stand_in import replaced


def befalls(*kinds: object) -> Bound:
    return Bound(members=(1,), hazards=1, commands=0, kinds=Hazards(kinds, ()))  # type: ignore[arg-type]


def happens(*kinds: object, members: int = 1, commands: int = 0) -> Bound:
    return Bound(members=(members,), hazards=1, commands=commands, kinds=Hazards((), kinds))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "bound",
    [
        Bound(members=(3,), hazards=0, commands=0),
        Bound(members=(1,), hazards=1, commands=0, back=True),
        Bound(members=(1,), hazards=0, commands=2),
        Bound(members=(1,), hazards=0, commands=1, short=True),
    ],
)
def test_no_state_breaks_a_promise(bound: Bound) -> None:
    """What docs/rotation.md counts is searched when that page is written, which raises what it finds."""
    seen = explored(bound)
    assert "\n".join(seen.story) == ""
    assert seen.states > 100


# What the app doesn't keep yet: once it does, its hazard goes to `hazards.ALL`, and the mend gets a mutant.
AWAITED = {
    "a run that is lost and started again refuses its own bundle": (happens(run_lost), "the rotation never ends"),
}


@pytest.mark.parametrize("name", AWAITED)
def test_the_search_finds_what_the_app_does_not_keep_yet(name: str) -> None:
    bound, broken = AWAITED[name]
    assert explored(bound).story[-1] == f"BROKEN: {broken}"


def test_a_replacement_ends_while_leaves_of_the_old_root_live() -> None:
    """The gate of replace looks at what is trusted alone: `promises.AWAITED` goes once it looks at the rest."""
    with replaced("local.explorer.promises.AWAITED", frozenset()):
        story = explored(befalls(issuer_put_back)).story
    assert story[-1] == "BROKEN: a root is disabled that a member still needs"


def test_a_story_tells_each_step_and_what_is_broken() -> None:
    story = explored(happens(run_lost)).story
    assert story[0].endswith("aks-1: proves prepare")
    assert "(the run is lost, and started again)" in story
