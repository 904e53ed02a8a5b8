"""What Meshward makes, judged by the TLS stacks that judge it in production, and by the simulated proxies beside them.

Seen:
- The stacks disagree about roots only: webpki, and so a proxy, takes a root's dates, CA flag and path length on trust,
  Go and OpenSSL don't. The simulated proxies do as webpki does.
- An issuer named like its root is accepted by all of them, where proxies once refused it (linkerd2 issue 5350).
  Meshward makes none, as older proxies are in use.
- A client of Go's shows no certificate at all to a server whose roots it doesn't chain to.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import NamedTuple

import pytest

from local.cloud.linkerd.roots import new_root
from shared.domain.trust.linkerd.certificates import bundle_pem
from shared.domain.trust.moves import TABLE
from shared.domain.trust.phases import ENDS, STAGES, Phase, Slot
from tests.real.authorities import (
    DOMAIN,
    NAME,
    NOW,
    SIMULATED,
    Authority,
    leaf,
    made_issuer,
    made_root,
    odd,
    peer,
    pems,
    shown,
)
from tests.real.build_verifiers import go_verifier, rustls_verifier
from tests.real.stacks import OpenSSL, Stack, VerifierProgram

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AT = NOW.timestamp()
BY_HAND = new_root("root.linkerd.cluster.local", NOW, 365 * DAY)
OLD = made_root(6, BY_HAND.certificate)
ROOTS = {Slot.OLD: OLD, Slot.NEW: made_root(7, OLD.certificate)}
ISSUERS = {slot: made_issuer(root) for slot, root in ROOTS.items()}
ISSUER = ISSUERS[Slot.OLD]
TLS = ["Go", "rustls"]


@pytest.fixture(scope="module")
def verifiers() -> Iterator[dict[str, VerifierProgram]]:
    verifiers = {"Go": VerifierProgram(go_verifier()), "rustls": VerifierProgram(rustls_verifier())}
    yield verifiers
    for verifier in verifiers.values():
        verifier.close()


@pytest.fixture(scope="module")
def stacks(verifiers: dict[str, VerifierProgram]) -> dict[str, Stack]:
    return {**verifiers, "OpenSSL": OpenSSL()}


def bundle_of(phase: Phase) -> str:
    return bundle_pem(phase, pems(OLD), OLD.certificate, ROOTS[Slot.NEW].certificate)


type Move = tuple[Phase, Phase]
MOVED = sorted({(m.phase, m.then) for m in TABLE if m.then not in ENDS and not STAGES[m.then].downtime})


def met(move: Move) -> tuple[set[Slot], list[str]]:
    """The leaves that live while the fleet goes from one phase to another, and the bundles that are met then."""
    return {slot for phase in move for slot in STAGES[phase].leaves}, [bundle_of(phase) for phase in move]


@pytest.mark.parametrize("move", MOVED, ids="-".join)
def test_every_leaf_is_accepted_by_everybody_while_the_fleet_enters_a_phase(
    stacks: dict[str, Stack], move: Move
) -> None:
    for slot, roots in product(*met(move)):
        refusals = {name: stack.refusal(shown(ISSUERS[slot]), roots, NAME, AT) for name, stack in stacks.items()}
        assert not any(refusals.values()), refusals


@pytest.mark.parametrize("move", MOVED, ids="-".join)
@pytest.mark.parametrize("stack", TLS)
def test_every_pair_shakes_hands_while_the_fleet_enters_a_phase(
    verifiers: dict[str, VerifierProgram], stack: str, move: Move
) -> None:
    peers = [peer([ISSUERS[slot]], roots) for slot, roots in product(*met(move))]
    for client, server in product(peers, repeat=2):
        assert verifiers[stack].handshake(client, server, NAME, AT) == ""


@pytest.mark.parametrize("stack", TLS)
@pytest.mark.parametrize("stale_end", ["client", "server"])
def test_one_end_that_lacks_the_new_root_breaks_every_handshake_under_it(
    verifiers: dict[str, VerifierProgram], stack: str, stale_end: str
) -> None:
    ready, stale = (peer([ISSUERS[Slot.NEW]], roots) for roots in (bundle_of(Phase.DISTRIBUTE), pems(OLD)))
    client, server = (stale, ready) if stale_end == "client" else (ready, stale)
    unknown = {"client": "unknown authority", "server": "certificate required"} if stack == "Go" else {}
    assert unknown.get(stale_end, "UnknownIssuer") in verifiers[stack].handshake(client, server, NAME, AT)


def test_issuers_pass_the_check_that_the_identity_controller_makes_when_it_loads_them(
    verifiers: dict[str, VerifierProgram],
) -> None:
    for issuer in ISSUERS.values():
        assert verifiers["Go"].refusal(pems(issuer), bundle_of(Phase.ACTIVATE), "", AT) == ""
        assert "unknown authority" in verifiers["Go"].refusal(pems(issuer), pems(odd("CN=another")), "", AT)


def test_roots_and_issuers_made_by_hand_are_accepted_too(stacks: dict[str, Stack]) -> None:
    issuer = odd("CN=identity", Authority(certificate=BY_HAND.certificate, key=BY_HAND.key))
    assert not any(stack.refusal(shown(issuer), BY_HAND.pem, NAME, AT) for stack in stacks.values())


class Words(NamedTuple):
    """What the refusal holds; empty if the chain is accepted."""

    go: str
    rustls: str
    openssl: str
    simulated: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """Issuers that are shown, the nearest to the leaf first, and who looks at them when, for which name."""

    issuers: list[Authority]
    root: Authority = OLD
    after: timedelta = timedelta(0)
    name: str = NAME
    words: Words


UNKNOWN = Words("unknown authority", "UnknownIssuer", "unable to get local issuer", "UnknownIssuer")
FORGED = Words("unknown authority", "BadSignature", "local issuer", "UnknownIssuer")
EXPIRED = Words("has expired", "Expired", "certificate has expired", "CertExpired")
EARLY = Words("is before", "NotValidYet", "is not yet valid", "CertNotValidYet")
MISNAMED = Words("certificate is valid for", "NotValidForName", "hostname mismatch", "NotValidForName")
NO_AUTHORITY = Words("parent certificate cannot sign", "EndEntityUsedAsCa", "invalid CA", "UnknownIssuer")
TOO_LONG = Words("too many", "PathLenConstraintViolated", "path length", "PathLenConstraintViolated")
ACCEPTED = Words("", "", "", "")
PLAIN_ROOT = odd("CN=plain", path_length=None)
SHORT_ROOT = odd("CN=short", path_length=1, lifetime=HOUR)
MIDDLE = odd("CN=middle", OLD, path_length=1)
CASES = {
    "another root": Case(issuers=[ISSUER], root=ROOTS[Slot.NEW], words=UNKNOWN),
    "a root of the same name with another key": Case(issuers=[ISSUER], root=odd(OLD.subject), words=FORGED),
    "an issuer of nobody's": Case(
        issuers=[odd("CN=stranger")], words=UNKNOWN._replace(openssl="self-signed certificate in")
    ),
    "an expired leaf": Case(issuers=[ISSUER], after=25 * HOUR, words=EXPIRED),
    "a leaf from the future": Case(issuers=[ISSUER], after=-timedelta(minutes=1), words=EARLY),
    "an expired issuer": Case(issuers=[odd("CN=short", OLD, lifetime=HOUR)], after=2 * HOUR, words=EXPIRED),
    "an expired root": Case(
        issuers=[odd("CN=i", SHORT_ROOT)],
        root=SHORT_ROOT,
        after=2 * HOUR,
        words=EXPIRED._replace(rustls="", simulated=""),
    ),
    "a wrong name": Case(issuers=[ISSUER], name=f"cart.shop.{DOMAIN}", words=MISNAMED),
    "an issuer without the CA flag": Case(issuers=[odd("CN=i", OLD, path_length=None)], words=NO_AUTHORITY),
    "a root without the CA flag": Case(
        issuers=[odd("CN=i", PLAIN_ROOT)], root=PLAIN_ROOT, words=NO_AUTHORITY._replace(rustls="", simulated="")
    ),
    "a path longer than an issuer allows": Case(issuers=[odd("CN=sub", ISSUER), ISSUER], words=TOO_LONG),
    "a path longer than the root allows": Case(
        issuers=[odd("CN=sub", MIDDLE), MIDDLE], words=TOO_LONG._replace(rustls="", simulated="")
    ),
    "an issuer named like its root": Case(issuers=[odd(OLD.subject, OLD)], words=ACCEPTED),
    "a root that is sent along": Case(issuers=[ISSUER, OLD], words=ACCEPTED),
}


@pytest.mark.parametrize("of", CASES)
def test_real_stacks_and_simulated_proxies_agree_on_a_chain(stacks: dict[str, Stack], of: str) -> None:
    case, at = CASES[of], AT + CASES[of].after.total_seconds()
    roots = pems(case.root)
    refusals = {name: stack.refusal(shown(*case.issuers), roots, case.name, at) for name, stack in stacks.items()}
    refusals["simulated"] = SIMULATED.refusal(leaf(*case.issuers), case.name, SIMULATED.read(roots), at)
    for (who, refusal), words in zip(refusals.items(), case.words, strict=True):
        assert words in refusal if words else refusal == "", f"{who} says {refusal!r}"


@pytest.mark.parametrize("of", CASES)
@pytest.mark.parametrize("stack", TLS)
def test_peers_shake_hands_exactly_if_their_chain_is_accepted(
    verifiers: dict[str, VerifierProgram], stack: str, of: str
) -> None:
    case, at = CASES[of], AT + CASES[of].after.total_seconds()
    both = peer(case.issuers, pems(case.root))
    refusal = verifiers[stack].handshake(both, both, case.name, at)
    words = case.words.go if stack == "Go" else case.words.rustls
    assert words in refusal if words else refusal == ""
