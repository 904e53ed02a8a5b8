"""What `make docs` writes: the pages under docs/ that follow from the code."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from local.docs_reasons import holds_table, reasons_page, refusals_table
from local.docs_signals import signals_page
from shared.domain.policy import Knobs, Policy
from shared.domain.trust.phases import ENDS, MOVES, STAGES, Phase, Slot, Word

DOCS = Path(__file__).parent.parent / "docs"


def policy_schema() -> str:
    """The JSON Schema of the policy document, with a newline at its end."""
    (policy, knobs), defined = msgspec.json.schema_components([Policy, Knobs], ref_template="#/$defs/{name}")
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **policy, "$defs": defined}
    parts = defined["Policy"]["properties"]
    parts["default"] = knobs
    parts["trust_domains"]["additionalProperties"] = parts["clusters"]["additionalProperties"] = knobs
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def rotation_page() -> str:
    """docs/rotation.md with its phases drawn from the table of moves, and the reasons for a hold."""
    page = (DOCS / "rotation.md").read_text()
    return _filled(_filled(page, "phases", f"{_diagram()}\n{_gates()}"), "reasons", f"{holds_table()}\n")


def restores_page() -> str:
    """docs/restores.md with the reasons for which a verification is inconclusive."""
    return _filled((DOCS / "restores.md").read_text(), "reasons", f"{refusals_table()}\n")


def _filled(page: str, part: str, text: str) -> str:
    """The page with this text between the comments that begin and end the part."""
    before, begin, rest = re.split(rf"(<!-- {part}: .* -->\n)", page)
    _, end, after = rest.partition(f"<!-- end of {part} -->")
    return f"{before}{begin}\n{text}\n{end}{after}"


def _diagram() -> str:
    moves = [*MOVES.items(), ((Phase.PREPARE, "expired"), Phase.REPLACE)]
    lines = [
        f"  {phase} --> {then}" if word is Word.PROVEN else f"  {phase} --> {then}: {word}"
        for (phase, word), then in moves
    ]
    ends = [f"  {end} --> [*]" for end in sorted(ENDS)]
    return "\n".join(["```mermaid", "stateDiagram-v2", "  [*] --> prepare", *lines, *ends, "```", ""])


def _gates() -> str:
    head = ["| phase | proxies trust | leaves chain to | proven before the next |", "|---|---|---|---|"]
    rows = [
        f"| {phase} | {_roots(stage.trusted)} | {_roots(stage.leaves)} | {stage.gate} |"
        for phase, stage in STAGES.items()
    ]
    return "\n".join([*head, *rows, ""])


def _roots(slots: frozenset[Slot]) -> str:
    return " and ".join(slot for slot in Slot if slot in slots)


GENERATED = {
    "policy.schema.json": policy_schema,
    "reasons.md": reasons_page,
    "restores.md": restores_page,
    "rotation.md": rotation_page,
    "signals.md": signals_page,
}


if __name__ == "__main__":
    for name, content in GENERATED.items():
        (DOCS / name).write_text(content())
