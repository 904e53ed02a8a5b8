"""The app without what mends faults that were once seen, by the numbers that the searches' tests give them."""

from collections.abc import Callable
from typing import Any

from functions.trust.linkerd.phases import PHASES
from local.explorer.cut import (
    LINKERD,
    TRUST,
    TURNED,
    Cut,
    befalls,
    happens,
    no,
    nothing,
    nothing_async,
    passed,
    passed_async,
)
from local.explorer.hazards import (
    cron_pod_made,
    joins_with_new_root_alone,
    member_made_again,
    new_root_disabled,
    restarted_ahead,
)
from local.explorer.search import Bound
from shared.domain.trust.phases import Phase


def faults() -> dict[str, Cut]:
    """All of them; where several rules keep the same, without all of those."""
    return {
        "fault 2: a cluster made again inherits proofs, and no gate looks again": _inherited(),
        "fault 3: no root has to sign": Cut(
            (), {"functions.trust.roots.require_signs": nothing_async}, happens(new_root_disabled)
        ),
        "fault 5: a rotation goes back however soon the old root expires": Cut(
            (), {f"{TRUST}.deadlines.require_time_back": nothing}, Bound((1,), hazards=0, commands=1, short=True)
        ),
        "fault 5: no way back turns round": Cut((), {f"{TRUST}.deadlines.has_to_turn": no}, TURNED),
        "fault 5: who joins a way back isn't asked what it trusts": _unasked(),
        "fault 10: a proxy that hasn't started holds an old leaf": Cut(
            (), {f"{LINKERD}.gates.holds_older_leaf": _not_started_since}, befalls(cron_pod_made)
        ),
        "fault 11: a restart of days ahead counts": Cut(
            (),
            {f"{LINKERD}.waves._last_restart": lambda workload, now: workload.restarted_at},
            befalls(restarted_ahead),
        ),
    }


def _unasked() -> Cut:
    """The move, the steps and the rules that keep it are cut at once."""
    rows = {**PHASES, Phase.REISSUE: PHASES[Phase.ACTIVATE]}
    functions: dict[str, Any] = {
        f"{TRUST}.moves.BOTH_WAYS": frozenset(),
        "functions.trust.linkerd.stages.require_trust_kept": nothing,
        f"{LINKERD}.issuers.require_signer_trusted": nothing,
    }
    return Cut(((PHASES, rows),), functions, happens(joins_with_new_root_alone)._replace(back=True))


def _not_started_since(proxy: Any, moment: Any) -> bool:
    return not (proxy.started_at and proxy.started_at > moment)


def _inherited() -> Cut:
    """With no other hazard, the gates alone would keep it, too."""
    functions: dict[str, Callable[..., Any]] = {
        "shared.domain.incarnation.Incarnation.another": no,
        "functions.trust.linkerd.stages.require_signer_kept": nothing_async,
        f"{LINKERD}.standing.require_trust_kept": nothing,
        "functions.trust.linkerd.stages.leaves_verdict": passed_async,
        f"{LINKERD}.gates.issuer_gate": passed,
    }
    return Cut((), functions, happens(member_made_again))
