"""Pages are taken in at first reading: words of the field, which the glossary explains, and short paragraphs."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
MOST_TERMS, MOST_WORDS = 40, 90
LANDING = {"RotationPlan", "ProtectionPlan", "RestorePlan", "VaultRequirements", "isolated"}  # renames under way


def terms() -> list[list[str]]:
    """The rows of the glossary: the term, what it means, and what the code calls it."""
    rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", GLOSSARY.read_text(), re.M)
    return [list(row) for row in rows if row[0] != "term"]


def test_the_glossary_has_few_terms_in_the_order_of_the_alphabet() -> None:
    names = [name for name, *_ in terms()]
    assert 20 < len(names) <= MOST_TERMS
    assert names == sorted(set(names))


def test_a_term_is_explained_in_two_sentences_or_three() -> None:
    assert [name for name, meaning, _ in terms() if not meaning.endswith(".") or meaning.count(". ") > 2] == []


def test_every_name_that_the_glossary_gives_is_in_the_code() -> None:
    code = {word for tree in ("functions", "shared") for file in (ROOT / tree).rglob("*.py") for word in names_in(file)}
    said = {name for *_, names in terms() for name in re.findall(r"`(\w+)`", names)}
    assert len(said) > 30
    assert sorted(said - code - LANDING) == []


def names_in(file: Path) -> set[str]:
    return set(re.findall(r"\w+", file.read_text()))
