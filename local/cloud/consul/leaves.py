"""The leaves that the agent of a datacenter keeps, one for each service (agent/leafcert).

Rules (seen on real agents):
- A leaf that is kept is given to whoever asks, with its private key and without a look at the token. A new one needs
  `service:write`.
- After a change of what signs, who waits for a newer leaf gets it at a random moment within 30 seconds. Until then a
  plain question gives the old leaf; where nobody waits, it gives a new one at once.
- A leaf is renewed between 60 and 90 percent of its life.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from local.cloud.clock import Alarm, Clock
from local.cloud.consul import x509 as made
from local.cloud.consul.authority import DatacenterAuthority
from local.cloud.consul.errors import ConsulError

_SPREAD = 30.0
_RENEWED_FROM, _RENEWED_TO = 0.6, 0.9


@dataclass
class KeptLeaf:
    """A leaf with its key, its chain, and the index of the state that it is of."""

    chain: list[x509.Certificate]
    key: ec.EllipticCurvePrivateKey
    signed_by: str  # the signing key that the roots named then
    index: int
    renewed_at: float
    waiters: int = 0
    turn: Alarm | None = None


@dataclass
class LeafCache:
    """The leaves of one datacenter's agent; `uri` is a service's SPIFFE id."""

    clock: Clock
    authority: DatacenterAuthority
    uri: Callable[[str], str]
    kept: dict[str, KeptLeaf] = field(default_factory=dict)
    random: Random = field(default_factory=lambda: Random(0))

    def __post_init__(self) -> None:
        self.authority.listeners.append(self._rotated)

    def get(self, service: str) -> KeptLeaf:
        """The leaf that is kept, or a new one."""
        found = self.kept.get(service)
        if found is None or (self._is_stale(found) and found.turn is None):
            return self._renew(service)
        return found

    def _is_stale(self, leaf: KeptLeaf) -> bool:
        active = self.authority.active
        return self.clock.time() >= leaf.renewed_at or (active is not None and leaf.signed_by != active.signed_by)

    def _renew(self, service: str) -> KeptLeaf:
        key, before = ec.generate_private_key(ec.SECP256R1()), self.kept.get(service)
        chain = self.authority.sign(key.public_key(), self.uri(service))
        leaf, active = chain[0], self.authority.active
        assert active
        life = (leaf.not_valid_after_utc - leaf.not_valid_before_utc).total_seconds()
        share = self.random.uniform(_RENEWED_FROM, _RENEWED_TO)
        due = leaf.not_valid_before_utc.timestamp() + life * share
        waiters = before.waiters if before else 0
        self.kept[service] = KeptLeaf(chain, key, active.signed_by, self.authority.next_index(), due, waiters)
        return self.kept[service]

    def _rotated(self) -> None:
        for service, leaf in self.kept.items():
            if leaf.waiters and leaf.turn is None and self._is_stale(leaf):
                leaf.turn = self.clock.after(self.random.uniform(0, _SPREAD), partial(self._take_turn, service, leaf))

    def _take_turn(self, service: str, leaf: KeptLeaf) -> None:
        """Who waits for what can't be signed is told so when the wait is over."""
        leaf.turn = None
        with suppress(ConsulError):
            self._renew(service)


def body(service: str, leaf: KeptLeaf, uri: str) -> dict[str, Any]:
    """The leaf as the agent gives it."""
    first = leaf.chain[0]
    serial = f"{first.serial_number:x}"
    return {
        "SerialNumber": made.colons(bytes.fromhex(serial.zfill(len(serial) + len(serial) % 2))),
        "CertPEM": "".join(map(made.pem, leaf.chain)),
        "PrivateKeyPEM": made.key_pem(leaf.key),
        "Service": service,
        "ServiceURI": uri,
        "ValidAfter": first.not_valid_before_utc.isoformat().replace("+00:00", "Z"),
        "ValidBefore": first.not_valid_after_utc.isoformat().replace("+00:00", "Z"),
        "CreateIndex": leaf.index,
        "ModifyIndex": leaf.index,
    }
