"""What many recorded answers never had is an error, unless an exception says why."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from tests.oracle.conformance import Oracle
from tests.oracle.exceptions import EXCEPTIONS
from tests.oracle.review import Review, is_whole, needless
from tests.oracle.unrecorded import MANY, Unrecorded


def recorded(times: int, *kinds: tuple[str, int, dict[str, list[str]]]) -> dict[str, Any]:
    """An answer that was recorded so many times, with objects of these kinds as its body."""
    nodes = {
        kind: {"n": n, "keys": {name: {"n": n, "v": words} for name, words in keys.items()}} for kind, n, keys in kinds
    }
    return {"a/Get 200": {"n": times, "nodes": {"$": nodes}}}


def findings(shapes: dict[str, Any], body: dict[str, Any], kind: str = "", **options: Any) -> list[str]:
    return Unrecorded(shapes, lambda body: [("$", kind, body)], **options).findings("a/Get 200", body)


def test_a_field_that_many_answers_never_had_is_an_error() -> None:
    assert findings(recorded(MANY, ("", MANY, {"id": []})), {"id": "1", "systemData": {}}) == [
        "$.systemData: recorded 5 times and more, and never had"
    ]


def test_a_word_that_many_answers_never_had_is_an_error() -> None:
    shapes = recorded(MANY, ("", MANY, {"state": ["On", "Off"]}))
    assert findings(shapes, {"state": "On"}) == []
    assert findings(shapes, {"state": "OFF"}) == ["$.state: 'OFF' was never recorded, only ['Off', 'On']"]


def test_a_code_that_many_refusals_never_had_is_an_error() -> None:
    shapes = recorded(MANY, ("code=NotFound", MANY, {"code": []}))
    assert findings(shapes, {"code": "NotFound"}, "code=NotFound") == []
    assert findings(shapes, {"code": "Gone"}, "code=Gone") == ["$.code: 'Gone' was never recorded, only ['NotFound']"]


def test_an_answer_that_was_never_recorded_is_an_error() -> None:
    rule = Unrecorded({}, lambda _: [])
    assert rule.findings("a/Get 200", None) == ["it was never recorded, and docs/fidelity.md doesn't say so"]
    assert rule.findings("a/Get 404", None) == []


def test_few_answers_say_nothing() -> None:
    assert findings(recorded(MANY - 1, ("", MANY - 1, {"state": ["On"]})), {"other": 1, "state": "Off"}) == []


def test_a_field_that_was_seldom_there_says_nothing_of_its_words() -> None:
    assert findings(recorded(MANY, ("", MANY - 1, {"state": ["On"]})), {"state": "Off"}) == []


def test_an_object_is_held_against_its_own_kind_where_that_was_recorded_often() -> None:
    shapes = recorded(9, ("type=vm", 9, {"type": ["vm"], "zones": []}), ("type=share", MANY, {"type": ["share"]}))
    assert findings(shapes, {"type": "share", "zones": []}, "type=share") != []
    assert findings(shapes, {"type": "vm", "zones": []}, "type=vm") == []


def test_an_exception_is_no_finding_and_is_noted() -> None:
    rule = Unrecorded(
        recorded(MANY, ("", MANY, {})), lambda body: [("$", "", body)], {"a/Get 200 $.x", "a/Get 200 $.y"}
    )
    assert rule.findings("a/Get 200", {"x": 1}) == []
    assert rule.excused == {"a/Get 200 $.x"}


@pytest.mark.parametrize("subject", EXCEPTIONS)
def test_an_exception_is_still_one_by_the_recordings(oracle: Oracle, subject: str) -> None:
    answer, place, word, kind = re.fullmatch(  # type: ignore[union-attr]
        r"(\S+ \d+)(?: \$\.([^= ]+))?(?:=(\S+))?(?: of (\S+))?", subject
    ).groups(default="")
    assert subject in oracle.unrecorded.found(answer, body_with(place, word, kind)), EXCEPTIONS[subject]


def body_with(place: str, word: str, kind: str) -> Any:
    """A body that has nothing but this word, in an object of this kind."""
    *way, name = place.split(".")
    body: Any = {name: word, **dict(part.split("=") for part in kind.split(";") if part)}
    for step in reversed(way):
        body = {step.removesuffix("[]"): [body] if step.endswith("[]") else body}
    return body


def test_after_a_whole_run_what_nothing_has_met_is_no_exception() -> None:
    assert needless({"a": "why", "b": "why"}, {"a"}) == ["No longer needed: b."]
    assert needless({"a": "why"}, {"a"}) == []


def test_a_part_of_the_tests_does_not_judge_the_exceptions() -> None:
    args, testpaths = pytest.Config.ArgsSource.ARGS, pytest.Config.ArgsSource.TESTPATHS
    assert [is_whole(session(source)) for source in (args, testpaths)] == [False, True]
    assert not is_whole(session(testpaths, keyword="vault"))
    assert not is_whole(session(testpaths, failed=1))


def session(source: Any, keyword: str = "", failed: int = 0) -> Any:
    config = SimpleNamespace(args_source=source, option=SimpleNamespace(keyword=keyword))
    return SimpleNamespace(config=config, testsfailed=failed, exitstatus=0)


def test_what_other_processes_have_met_counts() -> None:
    review = Review()
    review.pytest_testnodedown(SimpleNamespace(workeroutput={"excused": ["a"]}))
    review.pytest_testnodedown(SimpleNamespace())
    finish = SimpleNamespace(config=SimpleNamespace(workeroutput={}))
    review.pytest_sessionfinish(finish)  # type: ignore[arg-type]
    assert "a" in finish.config.workeroutput["excused"]
