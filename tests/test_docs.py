"""Pages say what is so: links lead somewhere, paths and commands exist, decisions are found from what they decided."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREES = ("functions", "shared", "infra", "local", "tests", "docs", ".github", ".ci")
PAGES = sorted({*ROOT.glob("*.md"), *(page for tree in TREES for page in (ROOT / tree).rglob("*.md"))})
KINDS = {".py", ".sh", ".bicep", ".yaml", ".yml"}
SOURCES = sorted({f for tree in TREES for f in (ROOT / tree).rglob("*") if f.suffix in KINDS} - {Path(__file__)})
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def prose(page: Path) -> str:
    """What is written, without blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def drawn(page: Path) -> set[str]:
    """The folders in the drawing of the layout, where what is in a folder stands two columns further in."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.M | re.S)
    lines = [line for kind, block in blocks if not kind for line in block.splitlines()]
    found, above = set(), [""]
    for indent, words in (re.match(r"( *)(.*?)(?:  |$)", line).groups() for line in lines):  # type: ignore[union-attr]
        names = [name for name in words.split(", ") if name.endswith("/")]
        del above[len(indent) // 2 + 1 :]
        found |= {above[-1] + name for name in names}
        above += [above[-1] + name for name in names]
    return found


def leads(page: Path, link: str) -> bool:
    """Whether a link of this page ends at a file, and at a heading of it where it names one."""
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    return target.exists() and (not anchor or anchor in anchors(target))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)) if "://" not in link]
    assert [link for link in links if not leads(page, link)] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    paths = re.findall(rf"`((?:{'|'.join(map(re.escape, TREES))})/[\w./-]*)`", prose(page))
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_drawn_layout_matches_the_repository(page: str) -> None:
    found = drawn(ROOT / page)
    assert len(found) > 7
    assert [path for path in sorted(found) if not (ROOT / path).is_dir()] == []


def test_the_guide_draws_every_room() -> None:
    places = ("functions", "shared/domain", "shared/adapters")
    rooms = {f"{place}/{file.parent.name}/" for place in places for file in (ROOT / place).glob("*/__init__.py")}
    assert sorted(rooms - drawn(ROOT / "CONTRIBUTING.md")) == []


def test_the_guide_says_of_every_room_of_tests_what_it_is() -> None:
    guide = ROOT / "CONTRIBUTING.md"
    rooms = {f"tests/{file.parent.name}/" for file in (ROOT / "tests").glob("*/__init__.py")}
    told = drawn(guide) | {f"{room}/" for room in re.findall(r"`(tests/\w+)`", guide.read_text())}
    assert len(rooms) > 10
    assert sorted(rooms - told) == []


def test_every_page_that_a_file_names_exists() -> None:
    files = [*SOURCES, *PAGES, ROOT / "Makefile"]
    found = {(named(file), page) for file in files for page in re.findall(r"\bdocs/[\w/.-]+\.md", file.read_text())}
    assert sorted(pair for pair in found if not (ROOT / pair[1]).exists()) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    assert set(re.findall(r"`(?:[A-Z]+=\S+ )?make ([a-z-]+)", page.read_text())) <= TARGETS


@pytest.mark.parametrize("page", DECISIONS, ids=named)
def test_every_decision_says_its_date_first(page: Path) -> None:
    decisions = re.split(r"^## ", page.read_text(), flags=re.M)[1:] or [page.read_text()]
    assert [text.splitlines()[0] for text in decisions if not re.match(r".*\n\n20\d\d-\d\d-\d\d\. \S", text)] == []


def test_every_name_from_the_code_that_a_decision_says_is_still_in_the_code() -> None:
    code = set(re.findall(r"\w+", "".join(file.read_text() for file in SOURCES)))
    said = {name for page in DECISIONS for name in re.findall(r"`([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)`", page.read_text())}
    assert [name for name in sorted(said) if not name.endswith(".txt") and not set(name.split(".")) <= code] == []


def test_a_package_and_the_page_of_its_decisions_name_each_other() -> None:
    rows = re.findall(
        r"^\| \[\w+\]\((docs/decisions/\w+\.md)\).*\| (.+) \|$", (ROOT / "DECISIONS.md").read_text(), re.M
    )
    assert sorted(ROOT / page for page, _ in rows) == DECISIONS
    for page, code in rows:
        for path in re.findall(r"`([^`]+)`", code):
            package = ROOT / path / "__init__.py"
            assert path in (ROOT / page).read_text()
            assert not package.exists() or path == "shared" or page in package.read_text(), path


def test_the_page_on_dependencies_names_every_package_that_is_asked_for() -> None:
    page = (ROOT / "docs" / "decisions" / "dependencies.md").read_text()
    asked = [line for name in ("", "-dev") for line in (ROOT / f"requirements{name}.txt").read_text().splitlines()]
    packages = [line.partition("==")[0] for line in asked if "==" in line]
    assert [package for package in packages if not re.search(rf"(?<![\w-]){re.escape(package)}(?![\w-])", page)] == []
