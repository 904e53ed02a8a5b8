"""What the app's flows reach, as an exploration has it: one cluster's mesh at a time, the vault, the store, the fleet.

`Surroundings` takes the place of what `services` returns while a world is explored.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace

from cryptography import x509

from local.explorer.mesh import ModelMesh
from local.explorer.roots import BEGIN, LETTERS, ROTATION, TRUST_DOMAIN, VERSIONS, WorldCertificates
from shared.domain.admission import AllowList, Fleet
from shared.domain.cluster import Cluster
from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.policy import Policy, policy_of
from shared.domain.trust.membership import MEMBERSHIP, Membership
from shared.domain.trust.mesh import Mesh as MeshName
from shared.domain.trust.new_root import CertificateVersion
from shared.domain.trust.phases import Slot
from shared.domain.trust.records import RECORD, RootRecord, ended_path, record_path
from shared.domain.trust.roots import root_tags

FLEET_NOW = BEGIN + timedelta(days=7)
GROUP = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg"
_DAY = timedelta(days=1)


class Surroundings:
    """The outer world; what is looked at next is set before a step is called."""

    def __init__(self, known: WorldCertificates) -> None:
        self.known = known
        self.mesh: ModelMesh | None = None
        self.enabled = {Slot.OLD: True, Slot.NEW: True}
        self.made = False
        self.clusters: list[Cluster] = []
        self.unknown: frozenset[str] = frozenset()
        self.membership: Membership | None = None
        self.settings = SimpleNamespace(key_vault_name="kv")
        self.rotator = SimpleNamespace(
            linkerd=SimpleNamespace(mesh=self._opened), key_vault=ModelVault(self), clusters=self, fleet=self.fleet
        )
        self.ledger = self.evidence = ModelStore(self)
        self._policy = policy_of(
            b'{"trust_domains": {"%s": {"members": ["%s"]}}}' % (TRUST_DOMAIN.encode(), GROUP.encode())
        )
        self.allow_list: AllowList = self._policy.allow_list

    def now(self) -> datetime:
        return self.mesh.now if self.mesh else FLEET_NOW

    async def policy(self) -> Policy:
        return self._policy

    async def fleet(self) -> Fleet:
        return Fleet([c for c in self.clusters if c.id not in self.unknown], self.allow_list)

    async def get(self, id: str) -> Cluster | None:
        """The cluster of this id; raises TemporaryError where nobody knows."""
        if id in self.unknown:
            raise TemporaryError("Throttled", "the resource manager doesn't answer")  # type: ignore[arg-type]
        return next((c for c in self.clusters if c.id == id), None)

    @asynccontextmanager
    async def _opened(self, cluster: str, trust_domain: str) -> AsyncIterator[ModelMesh]:
        assert self.mesh
        yield self.mesh


class ModelVault:
    """Key Vault, with the two roots."""

    def __init__(self, world: Surroundings) -> None:
        self._world = world

    async def certificate(self, name: str, version: str) -> x509.Certificate:
        return self._world.known.roots[LETTERS[_slot(name)]]

    async def versions(self, name: str) -> list[CertificateVersion]:
        slot = _slot(name)
        if slot is Slot.NEW and not self._world.made:
            return []
        root = self._world.known.roots[LETTERS[slot]]
        return [
            CertificateVersion(
                id=VERSIONS[slot],
                enabled=self._world.enabled[slot],
                created=root.not_valid_before_utc,
                tags=root_tags(ROTATION),
                fingerprint=next(iter(self._world.known.of(LETTERS[slot]))),
                starts_at=root.not_valid_before_utc,
                expires_at=root.not_valid_after_utc,
            )
        ]

    async def latest_request(self, name: str) -> None:
        return None

    async def sign(self, unsigned: object, name: str, version: str) -> x509.Certificate:
        if not self._world.enabled[_slot(name)]:
            raise PermanentError("Forbidden", f"the key of {name} is disabled")  # type: ignore[arg-type]
        return self._world.known.issuers[LETTERS[_slot(name)]]

    async def require_signing_key(self, name: str, version: str, root: x509.Certificate) -> None:
        if not self._world.enabled[_slot(name)]:
            raise PermanentError("KeyUnusable", f"the key of {name} is disabled")

    async def disable(self, name: str, version: str) -> None:
        self._world.enabled[_slot(name)] = False


class ModelStore:
    """The store, which has the rows of the roots and who takes part."""

    def __init__(self, world: Surroundings) -> None:
        self._world = world
        self._records = {record_path(one): one for one in (_record(world, slot) for slot in Slot)}
        self.ended: set[str] = set()

    async def list(self, folder: str) -> "list[str]":
        made = [path for path, one in self._records.items() if one.generation == 1 or self._world.made]
        return [*made, *sorted(self.ended)] if folder.startswith("roots/") else []

    async def get(self, document: object, path: str) -> RootRecord:
        assert document is RECORD
        return self._records[path]

    async def read(self, path: str) -> bytes | None:
        known = self._world.membership
        return MEMBERSHIP.encoded(known) if path.startswith("members/") and known else None

    async def find(self, document: object, path: str) -> Membership | None:
        return self._world.membership

    async def create(self, path: str, content: bytes) -> bool:
        self.ended |= {path} if path.endswith("/ended") else set()
        return True

    async def update(self, path: str, content: bytes, *, seen: bytes | None) -> bool:
        return True


def _record(world: Surroundings, slot: Slot) -> RootRecord:
    name = ROTATION.certificate(slot)
    return RootRecord(
        mesh=MeshName.LINKERD,
        trust_domain=TRUST_DOMAIN,
        generation=1 if slot is Slot.OLD else 2,
        certificate=name,
        fingerprint=next(iter(world.known.of(LETTERS[slot]))),
        origin="made",
        at=BEGIN - _DAY,
    )


def _slot(certificate: str) -> Slot:
    return Slot.OLD if certificate == ROTATION.old else Slot.NEW


def ended(slot: Slot) -> str:
    """The path of the mark that a root never counts again."""
    return ended_path(MeshName.LINKERD, TRUST_DOMAIN, 1 if slot is Slot.OLD else 2)
