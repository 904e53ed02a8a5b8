"""What `make docs` writes: the pages under docs/ that follow from the code."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import msgspec

from local.docs_fidelity import fidelity_page
from local.docs_reasons import holds_table, reasons_page, refusals_table
from local.docs_signals import signals_page
from local.docstrings import meanings
from local.explorer.figures import explored_table
from local.tables import api_page, checks_table, filled, policy_page, readme, store_page, table
from shared.domain.knobs import extras
from shared.domain.policy import Knobs, NamedCluster, Policy, TrustDomain
from shared.domain.restores.policy import Probe
from shared.domain.trust.moves import COMMANDS, MOVES, REFUSALS, TABLE, Move, RotationEvent, phase_without_root
from shared.domain.trust.phases import ENDS, FIRST_PHASE, STAGES, Mode, Slot
from shared.domain.trust.policy import Window

DOCS = Path(__file__).parent.parent / "docs"


def policy_schema() -> str:
    """The JSON Schema of the policy document, with a newline at its end."""
    kinds = [Policy, Knobs, TrustDomain, NamedCluster]
    (policy, knobs, domain, cluster), defined = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **policy, "$defs": defined}
    parts = defined["Policy"]["properties"]
    parts["default"] = knobs
    parts["trust_domains"]["additionalProperties"], parts["clusters"]["additionalProperties"] = domain, cluster
    sections = [field.type for field in msgspec.structs.fields(Knobs)]
    for section in (*sections, Probe, Window):
        _describe(defined[section.__name__]["properties"], section)
    defined["TrustDomain"]["properties"]["members"]["description"] = meanings(TrustDomain)["members"]
    defined["NamedCluster"]["properties"]["sources"]["description"] = meanings(NamedCluster)["sources"]
    for section in sections:
        _take_former_names(defined[section.__name__]["properties"], extras(section))
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _describe(properties: dict[str, Any], section: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(section):
        properties[field.encode_name]["description"] = meanings(section)[field.name]


def _take_former_names(properties: dict[str, Any], known: dict[str, dict[str, Any]]) -> None:
    for knob, extra in known.items():
        if former := extra.get("formerly"):
            meaning = f"The former name of {knob}."
            properties[former] = {**properties[knob], "description": meaning, "deprecated": True}


def rotation_page() -> str:
    """docs/rotation.md with its phases, what moves them and the reasons for a hold, as their tables say."""
    phases = f"{_diagram()}\n{_gates()}\n{_commands()}"
    return filled("docs/rotation.md", phases=phases, explored=explored_table(), reasons=holds_table())


def restores_page() -> str:
    """docs/restores.md with the ladder of checks, and the reasons for which a verification is inconclusive."""
    return filled("docs/restores.md", checks=checks_table(), reasons=refusals_table())


def _diagram() -> str:
    moves = [line for move in TABLE for line in _lines(move)]
    ends = [f"  {end} --> [*]" for end in sorted(ENDS)]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"  [*] --> {FIRST_PHASE}", *moves, *ends, "```", ""])


def _lines(move: Move) -> list[str]:
    said = [] if move.event is RotationEvent.PROVEN else [str(move.event)]
    modes = [f"mode {mode}" for mode in move.modes] if len(move.modes) == 1 else []
    lines = [_line(move, move.then, [*said, *modes])]
    if STAGES[move.phase].creates_root and phase_without_root(move.then) is not move.then:
        lines.append(_line(move, phase_without_root(move.then), [*said, "no root made yet"]))
    return lines


def _line(move: Move, then: str, why: list[str]) -> str:
    return f"  {move.phase} --> {then}" + (f": {', '.join(why)}" if why else "")


def _gates() -> str:
    head = (
        "phase",
        "trusted roots",
        "root of the leaves",
        "root of new issuers",
        "time limit",
        "proven before the next phase",
    )
    rows = [
        (
            phase,
            _roots(stage.trusted),
            _roots(stage.leaves),
            stage.signer,
            f"`{stage.knob}`" if stage.knob else "an hour",
            f"{stage.gate}{'; by all members in one round' if stage.proven_together else ''}",
        )
        for phase, stage in STAGES.items()
    ]
    return table(head, rows)


def _commands() -> str:
    return table(
        ("command", "can act in", "in mode", "otherwise"), [row for command in COMMANDS for row in _rows(command)]
    )


def _rows(command: RotationEvent) -> list[Sequence[str]]:
    """Where a command can act: a row for each set of modes, with the phases that it can act in then."""
    phases: dict[frozenset[Mode], list[str]] = {}
    for phase in STAGES:
        if modes := frozenset(mode for mode in Mode if (phase, command, mode) in MOVES):
            phases.setdefault(modes, []).append(phase)
    refusal = f"409 `{REFUSALS[command][0]}`" if command in REFUSALS else ""
    return [
        (command, _all(found, STAGES), _all([mode for mode in Mode if mode in modes], Mode), refusal)
        for modes, found in phases.items()
    ]


def _all(found: Sequence[str], every: Collection[str]) -> str:
    return "any" if len(found) == len(every) else ", ".join(found)


def _roots(slots: frozenset[Slot]) -> str:
    return " and ".join(slot for slot in Slot if slot in slots)


GENERATED = {
    "../README.md": readme,
    "api.md": api_page,
    "fidelity.md": fidelity_page,
    "policy.md": policy_page,
    "policy.schema.json": policy_schema,
    "reasons.md": reasons_page,
    "restores.md": restores_page,
    "rotation.md": rotation_page,
    "signals.md": signals_page,
    "store.md": store_page,
}


if __name__ == "__main__":
    for name, content in GENERATED.items():
        (DOCS / name).write_text(content())
