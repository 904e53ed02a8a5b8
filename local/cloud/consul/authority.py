"""What signs for a datacenter: its roots, rotations, leaves and the pruning (Consul's CAManager).

Rules:
- The primary makes the root; a new configuration of another key or certificate makes another. The old root signs the
  new one, its key is deleted, and it stays listed until the pruning.
- A secondary has the primary's roots and an intermediate of its own, which the primary signs if the secondary's
  replication token may have that. If not, the secondary lists the new root all the same, and signs no leaf any more.
- Each datacenter prunes by its own configuration, hourly from the moment when its leader began to lead.
- A certificate and a key that don't belong together, an expired root and what is no authority are taken.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from local.cloud.clock import Alarm, Clock
from local.cloud.consul import x509 as made
from local.cloud.consul.configuration import Configuration
from local.cloud.consul.errors import ConsulError

_PRUNED_EVERY = 3600.0
_WAITS = 0.5  # seconds that a request for a leaf waits for its turn


@dataclass(frozen=True)
class ListedRoot:
    """A root as a datacenter lists it; `signed_by` is the key of its leaves' issuer."""

    certificate: x509.Certificate
    intermediates: tuple[x509.Certificate, ...]
    signed_by: str
    created: int  # index of the state
    modified: int
    rotated_out: datetime | None = None

    @property
    def id(self) -> str:
        return made.certificate_id(self.certificate)

    @property
    def active(self) -> bool:
        return self.rotated_out is None


@dataclass
class SigningKey:
    """The key that a datacenter signs with, and the certificate that goes with it, if it has one."""

    key: made.PrivateKey
    certificate: x509.Certificate | None


@dataclass
class DatacenterAuthority:
    """The authority of one datacenter; `changed` is called once its roots have changed."""

    clock: Clock
    cluster: str
    next_index: Callable[[], int]
    primary: "DatacenterAuthority | None" = None
    configuration: Configuration = field(
        default_factory=lambda: Configuration(
            "consul", {"IntermediateCertTTL": "8760h", "LeafCertTTL": "72h", "RootCertTTL": "87600h"}
        )
    )
    roots: list[ListedRoot] = field(default_factory=list)
    signer: SigningKey | None = None
    modified: int = 0  # index of the configuration
    roots_modified: int = 1  # index of the roots
    may_be_signed: Callable[[], bool] = lambda: True  # whether the primary signs an intermediate for this secondary
    listeners: list[Callable[[], object]] = field(default_factory=list)
    refused: int = 0  # leaves that weren't signed, as too many were asked for
    _busy: bool = False
    _turn: float = 0.0  # when the next leaf may be signed
    _tick: Alarm | None = None

    def start(self) -> None:
        """Make or fetch the first root, and begin to lead."""
        self.lead()
        if self.primary is None:
            self._rotate(self.configuration)
        else:
            self.follow()

    def lead(self) -> None:
        """A leader begins: the next pruning is an hour away."""
        if self._tick:
            self._tick.cancel()
        self._tick = self.clock.after(_PRUNED_EVERY, self._hour)

    @property
    def active(self) -> ListedRoot | None:
        return next((root for root in self.roots if root.active), None)

    @contextmanager
    def reconfiguring(self) -> Iterator[None]:
        """One change at a time."""
        if self._busy:
            raise ConsulError('CA is already in state "RECONFIGURING"')
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def configure(self, wanted: Configuration) -> None:
        """Take a configuration; raises ConsulError if it is refused, and nothing has changed then."""
        if (wanted.provider, wanted.values) == (self.configuration.provider, self.configuration.values):
            return
        wanted.require_valid()
        if wanted.authority != self.configuration.authority:
            if self.primary is None:
                self._rotate(wanted)
            else:
                self._sign_intermediate(wanted)
        self.configuration, self.modified = wanted, self.next_index()

    def _rotate(self, wanted: Configuration) -> None:
        signer = self._new_signer(wanted)
        assert signer.certificate
        intermediates: tuple[x509.Certificate, ...] = ()
        if self.active and self.active.id == made.certificate_id(signer.certificate):
            self.signer = signer
            return
        if self.active and not wanted.without_cross_signing:
            assert self.signer
            now = self.clock.now()
            intermediates = (made.cross_signed(signer.certificate, self.active.certificate, self.signer.key, now),)
        self.signer = signer
        self._list(signer.certificate, intermediates, made.subject_key(signer.certificate))

    def _new_signer(self, wanted: Configuration) -> SigningKey:
        supplied, now = wanted.values.get("PrivateKey"), self.clock.now()
        key = made.loaded_key(supplied) if supplied else made.new_key(*wanted.key)
        if certificate := wanted.values.get("RootCert"):
            return SigningKey(key, made.loaded(certificate))
        lifetime = wanted.lifetime("RootCertTTL")
        return SigningKey(key, made.root(key, self.cluster, uuid.uuid4().hex[:7], now, lifetime))

    def follow(self, *, anew: bool = False) -> None:
        """Take over the primary's active root, if it has another one, with a new intermediate of its own."""
        assert self.primary
        above = self.primary.active
        if above and (self.active is None or self.active.id != above.id):
            self._list(above.certificate, above.intermediates, above.signed_by)
            self._sign_intermediate(self.configuration)
        elif anew:
            self._sign_intermediate(self.configuration)

    def _sign_intermediate(self, wanted: Configuration) -> None:
        assert self.primary
        if not self.may_be_signed():
            return
        above, now = self.primary.active, self.clock.now()
        assert above
        assert self.primary.signer
        key, lifetime = made.new_key(*wanted.key), self.primary.configuration.lifetime("IntermediateCertTTL")
        signer = self.primary.signer.key
        try:
            own = made.intermediate(above.certificate, signer, key.public_key(), self.cluster, now, lifetime)
        except ConsulError:
            return
        self.signer = SigningKey(key, own)
        signed_by, index = made.key_id(key.public_key()), self.next_index()
        self.roots = [
            replace(root, intermediates=(*above.intermediates, own), signed_by=signed_by, modified=index)
            if root.active
            else root
            for root in self.roots
        ]
        self._tell()

    def _list(self, certificate: x509.Certificate, intermediates: tuple[x509.Certificate, ...], signed_by: str) -> None:
        """Make this the active root."""
        index, now = self.next_index(), self.clock.now()
        old = [
            replace(root, rotated_out=root.rotated_out or now, modified=index)
            for root in self.roots
            if root.id != made.certificate_id(certificate)
        ]
        self.roots = [*old, ListedRoot(certificate, intermediates, signed_by, index, index)]
        self._tell()

    def _hour(self) -> None:
        now, kept = self.clock.now(), self.configuration.kept_for
        left = [r for r in self.roots if r.rotated_out is None or now - r.rotated_out <= kept]
        if len(left) < len(self.roots):
            self.roots = left
            self._tell()
        self._tick = self.clock.after(_PRUNED_EVERY, self._hour)

    def _tell(self) -> None:
        self.roots_modified = self.next_index()
        for listener in list(self.listeners):
            listener()

    def sign(self, key: ec.EllipticCurvePublicKey, uri: str) -> list[x509.Certificate]:
        """A leaf and what verifies it, the leaf first; raises ConsulError (429: too many are asked for)."""
        self._take_turn()
        root = self.active
        if root is None:
            raise ConsulError("CA is uninitialized and unable to sign certificates yet: no root certificate")
        now = self.clock.now()
        if root.certificate.not_valid_after_utc < now:
            raise ConsulError("root expired: certificate expired, expiration date: ...")
        if self.signer is None:
            raise ConsulError("error parsing CA cert: no PEM-encoded data found")
        by = self._signs_for(root)
        leaf = made.leaf(by, self.signer.key, key, uri, now, self.configuration.lifetime("LeafCertTTL"))
        return [leaf, *root.intermediates]

    def _signs_for(self, root: ListedRoot) -> x509.Certificate:
        """The certificate that Consul takes for the signer's: the last of the root's intermediates in a secondary."""
        return root.intermediates[-1] if self.primary and root.intermediates else root.certificate

    def _take_turn(self) -> None:
        now, per_second = self.clock.time(), self.configuration.csr_per_second
        if per_second <= 0:
            return
        if self._turn > now + _WAITS:
            self.refused += 1
            raise ConsulError("rate limit reached, try again later", 429)
        self._turn = max(self._turn, now) + 1 / per_second
