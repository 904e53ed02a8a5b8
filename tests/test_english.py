"""Pages and messages are taken in at first reading: words of the field, which the glossary explains, short paragraphs.

docs/deploy.md, CHANGELOG.md and the pages beside the code are left to their readers.
"""

import ast
import re
from collections.abc import Iterator
from io import StringIO
from itertools import pairwise
from pathlib import Path
from tokenize import COMMENT, generate_tokens

import pytest

ROOT = Path(__file__).parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
PAGES = sorted(
    {ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")} - {ROOT / "docs/deploy.md"}
)
SOURCES = sorted({file for tree in ("functions", "shared") for file in (ROOT / tree).rglob("*.py")})
MOST_TERMS, MOST_WORDS = 40, 90
MANY_FIELDS = 5
_WORD = r"[A-Z]?[a-z]+|[A-Z]+"
PLAINER = {
    r"anew": "again",
    r"await(s|ed)?": "wait for",
    r"cheap to dear|dear(er)?": "expensive, or how long it takes",
    r"farther": "further, or longer",
    r"forth": "forward",
    r"hast(e|y|ily|ier)": "swift",
    r"homeless": "unschedulable",
    r"in force": "current",
    r"keepers?": "owner",
    r"leavers?|newcomers?": "a cluster that leaves or joins",
    r"mend(s|ed|ing)?": "repair, correct, fix",
    r"pass(ed|es)? over": "skip",
    r"put(s)? it back": "undo the change",
    r"reaches nothing else": "what it may connect to",
    r"strangers?": "a pod that the policy doesn't admit",
    r"taken? apart": "delete, release",
    r"tied? to|untie": "uses",
    r"whoever": "who, a person that",
}
"""Words of ours that sent readers to the dictionary, and what the field says."""
RIDDLES = {
    "goes": "deleted_when, or what it does",
    "hasty": "swift",
    "heard": "received",
    "homeless": "unschedulable",
    "just": "recently, with the time",
    "life": "lifetime",
    "mend": "repair",
    "mended": "repaired",
    "mends": "repairs",
    "mine": "own",
    "news": "what has changed",
    "ours": "own",
    "outer": "world",
    "place": "isolated, namespace, group",
    "said": "what was read",
    "soon": "the time",
    "strange": "foreign",
    "strangers": "a pod that the policy doesn't admit",
    "theirs": "whose",
    "ties": "what they are",
    "told": "published, reported",
    "wanted": "desired, required",
    "way": "path",
}
"""Words of ours in names of variables, functions and classes, and what to say instead."""


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
    code = {name for file in SOURCES for name in re.findall(r"\w+", file.read_text())}
    said = {name for *_, names in terms() for name in re.findall(r"`(\w+)`", names)}
    assert len(said) > 30
    assert sorted(said - code) == []


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def prose(page: Path) -> str:
    """What is written, without blocks of code, code in a sentence, and the addresses of links."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    return re.sub(r"`[^`]*`|\]\([^)]*\)", "``", text)


def paragraphs(page: Path) -> Iterator[str]:
    """Paragraphs and items of lists; what is in a table is short by its form."""
    for text in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|\n(?=#)", prose(page)):
        if not text.lstrip().startswith(("|", "#", "<!--")):
            yield text


def dialect(text: str) -> list[str]:
    return [found[0] for word in PLAINER for found in re.finditer(rf"(?<![\w-])(?:{word})(?![\w-])", text, re.I)]


def messages(file: Path) -> Iterator[str]:
    """The texts of a source that people may read: all of several words that aren't docstrings."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
    texts = (node.value for node in nodes if isinstance(node, ast.Constant) and node not in docstrings)
    return (text for text in texts if isinstance(text, str) and " " in text.strip())


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_paragraph_is_short(page: Path) -> None:
    counted = {text.strip()[:60]: len(text.split()) for text in paragraphs(page)}
    assert {text: words for text, words in counted.items() if words > MOST_WORDS} == {}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_says_it_in_the_words_of_the_field(page: Path) -> None:
    assert dialect(prose(page)) == []


def spoken(file: Path) -> str:
    """What docstrings and comments of a source say."""
    source = file.read_text()
    comments = [t.string for t in generate_tokens(StringIO(source).readline) if t.type == COMMENT]
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, documented)]
    return "\n".join([*comments, *(ast.get_docstring(node) or "" for node in nodes)])


def names(source: str) -> set[str]:
    """What a source names itself: its classes, functions, arguments and variables."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                found.add(node.name)
            case ast.arg():
                found.add(node.arg)
            case ast.Name(ctx=ast.Store()):
                found.add(node.id)
    return found


def riddles(source: str) -> list[str]:
    return sorted(name for name in names(source) if RIDDLES.keys() & {w.lower() for w in re.findall(_WORD, name)})


def test_docstrings_and_comments_say_it_in_the_words_of_the_field() -> None:
    assert {named(file): found for file in SOURCES if (found := dialect(spoken(file)))} == {}


def test_names_are_words_of_the_field() -> None:
    assert {named(file): found for file in SOURCES if (found := riddles(file.read_text()))} == {}


@pytest.mark.parametrize(
    "source", ["wanted = 1", "def is_ours(): ...", "class JobNotTold: ...", "f(lambda told: told)", "_OURS: int = 1"]
)
def test_a_name_in_our_own_words_is_found(source: str) -> None:
    assert riddles(source)


def test_messages_say_it_in_the_words_of_the_field() -> None:
    found = [(named(file), text) for file in SOURCES for text in messages(file)]
    assert len(found) > 400
    assert [(file, text) for file, text in found if dialect(text)] == []


@pytest.mark.parametrize("text", ["Begin anew with this request", "from cheap to dear", "Correct it, or put it back"])
def test_words_of_ours_are_noticed(text: str) -> None:
    assert dialect(text)


def fields_without_words(source: str) -> list[str]:
    """Fields of structs and tuples of five or more that have neither a comment, a description nor a docstring."""
    lines, found = source.splitlines(), []
    for struct in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)):
        docstrings = {id(node) for node, after in pairwise(struct.body) if isinstance(after, ast.Expr)}
        fields = [
            n for n in struct.body if isinstance(n, ast.AnnAssign) and "ClassVar" not in ast.unparse(n.annotation)
        ]
        for field in fields if len(fields) >= MANY_FIELDS else []:
            written = "\n".join(lines[field.lineno - 1 : field.end_lineno])
            if not ("  # " in written or "description=" in written or id(field) in docstrings):
                found.append(f"{struct.name}.{ast.unparse(field.target)}")
    return found


def test_a_struct_of_many_fields_says_what_each_is() -> None:
    assert {named(file): found for file in SOURCES if (found := fields_without_words(file.read_text()))} == {}


def test_a_field_that_says_nothing_of_itself_is_found_in_a_struct_of_many_alone() -> None:
    few = "class Found(Struct):\n    a: int\n    b: str  # its name\n    c: str\n    'so'\n    d: int\n"
    assert fields_without_words(few) == []
    assert fields_without_words(few + "    e: ClassVar[int] = 1\n") == []
    assert fields_without_words(few + "    e: int = 1  # how many\n") == ["Found.a", "Found.d"]
