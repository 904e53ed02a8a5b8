"""docs/reasons.md, and the tables of reasons in the runbooks: what each word means, what follows, what to do."""

from typing import get_args

from local.reasons import Texts
from local.reasons.consul import CONSUL
from local.reasons.everywhere import ANY_FLOW, CALLS, SELF_TEST
from local.reasons.restores import CHOICE, RESTORES
from local.reasons.trust import HOLDS, STARTS
from local.reasons.vaults import PROTECTION, RELEASES
from local.tables import table
from shared.domain import reasons
from shared.domain.reasons import Reason

KINDS: dict[str, frozenset[Reason]] = {
    effect: frozenset(get_args(kind.__value__))
    for effect, kind in {
        "refuses": reasons.RefusedReason,
        "declines": reasons.DeclinedReason,
        "refuses (404)": reasons.NotFoundReason,
        "refuses (409)": reasons.ConflictReason,
        "refuses (500)": reasons.FaultReason,
        "refuses (401)": reasons.CallerReason,
        "waits": reasons.WaitingReason,
        "informs": reasons.InformingReason,
    }.items()
}
SECTIONS = {
    "What puts a rotation on hold": HOLDS,
    "Whether a rotation starts, goes back or ends": STARTS,
    "Protecting a cluster": PROTECTION,
    "Releasing a vault": RELEASES,
    "Whether a backup is verified": CHOICE,
    "Restoring and verifying": RESTORES,
    "Consul": CONSUL,
    "Calls": CALLS,
    "Self-test": SELF_TEST,
    "Any flow": ANY_FLOW,
}
_HOLDS = {"refuses": "holds", "waits": "waits, then holds"}
_INTRO = """\
# Reasons

`make docs` writes this page from `shared/domain/reasons.py` and `local/reasons`.

A reason is one word. You find it in the status of a flow, in an answer with a status of 400 or higher, in the log, in a
plan and in the census. A message beside it names the resources. What follows from a reason:

- **holds**: the rotation is on hold and tries again every ten minutes. Both roots stay trusted.
- **refuses**: the flow ends. A call is answered with 400, or with the status in brackets.
- **declines**: the event starts no flow and becomes a dead letter. A call is answered with 400.
- **waits**: the step is tried again. If its deadline passes, a rotation is on hold; any other flow ends with
  `DeadlinePassed`. A call is answered with 503.
- **informs**: nothing stops. The reason explains a state.

A reason that isn't on this page is a code of Azure or of an API server, cut to 200 characters: `Http` with a status,
Azure's own code (`RequestDisallowedByPolicy`) or a state (`ConfiguringProtection`). The message quotes the service. The
statuses 404, 408, 409, 410, 412, 429 and 5xx wait; all others refuse.
"""


def reasons_page() -> str:
    """The page."""
    sections = [f"## {title}\n\n{_table(texts)}" for title, texts in SECTIONS.items()]
    return "\n".join([_INTRO, *sections]).rstrip() + "\n"


def holds_table() -> str:
    """What puts a rotation on hold, for its runbook."""
    return _table(HOLDS)


def refusals_table() -> str:
    """What makes a verification inconclusive, for the runbook of restores."""
    ending = KINDS["refuses"] | KINDS["refuses (404)"]
    return _table({reason: text for reason, text in RESTORES.items() if reason in ending})


def _table(texts: Texts) -> str:
    rows = [(f"`{reason}`", _effect(reason, texts), text.meaning, text.advice) for reason, text in texts.items()]
    return table(("reason", "what follows", "what has happened", "what to do"), rows)


def _effect(reason: Reason, texts: Texts) -> str:
    """What follows; a word that tells why a backup is verified tells nothing where it means something else."""
    effects = [effect for effect, kind in KINDS.items() if reason in kind]
    if texts is CHOICE:
        effects = ["informs"]
    elif reason in CHOICE and len(effects) > 1:
        effects.remove("informs")
    return ", ".join(_HOLDS.get(effect, effect) if texts is HOLDS else effect for effect in effects)
