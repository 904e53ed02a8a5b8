"""docs/fidelity.md: which answers of the simulated Azure were seen of the real one, and where the others come from.

The tables follow from tests/oracle/fidelity.json, which the judge holds the simulated Azure to.
"""

from pathlib import Path

import msgspec

from local.tables import filled, table

DATA = Path(__file__).parent.parent / "tests" / "oracle" / "fidelity.json"


class Recordings(msgspec.Struct, frozen=True):
    """How many answers of a service were recorded, and of which kinds (an operation with a status), `often` five times
    or more; and the API versions of the exchanges that are kept whole.
    """

    answers: int
    kinds: int
    often: int
    versions: tuple[str, ...]


class Remembered(msgspec.Struct, frozen=True):
    """Answers (`provider/Operation status`, or a word in one) that nobody recorded.

    `source` says where they are known from, `otherwise` what the app does when Azure answers differently.
    """

    call: str
    answers: tuple[str, ...]
    source: str
    otherwise: str


class Fidelity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is recorded, by service, and what is remembered alone."""

    recorded: dict[str, Recordings]
    remembered: tuple[Remembered, ...]


def fidelity() -> Fidelity:
    """The data of the page."""
    return msgspec.json.decode(DATA.read_bytes(), type=Fidelity)


def fidelity_page() -> str:
    """docs/fidelity.md with its tables."""
    data = fidelity()
    recorded = table(
        ("service", "answers", "kinds", "five times or more", "API versions"),
        (
            (service, f"{seen.answers:,}", str(seen.kinds), str(seen.often), ", ".join(seen.versions))
            for service, seen in data.recorded.items()
        ),
    )
    remembered = table(
        ("what", "answers", "known from", "what becomes of a run if Azure answers otherwise"),
        ((each.call, _listed(each.answers), each.source, each.otherwise) for each in data.remembered),
    )
    return filled("docs/fidelity.md", recorded=recorded, remembered=remembered)


def _listed(answers: tuple[str, ...]) -> str:
    """The answers without their services; of a word in one, the field alone."""
    parts = (answer.partition("/")[2].split(" ") for answer in answers)
    return ", ".join(f"`{' '.join([*told[:2], *(place.rpartition('.')[2] for place in told[2:])])}`" for told in parts)
