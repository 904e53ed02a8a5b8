"""Roots of record and the lineages that they make."""

from datetime import UTC, datetime, timedelta

from shared.domain.trust.mesh import Mesh
from shared.domain.trust.roots import Lineage, Root

DOMAIN = "prod.contoso.example"
SEEN = datetime(2027, 1, 15, 8, tzinfo=UTC)


def root(generation: int, *, enabled: bool = True, domain: str = DOMAIN) -> Root:
    """A root of record."""
    return Root(
        mesh=Mesh.LINKERD,
        trust_domain=domain,
        generation=generation,
        certificate=f"root-{domain}-{generation}",
        version=f"v{generation}",
        fingerprint=f"{generation:064x}",
        enabled=enabled,
        starts_at=SEEN - timedelta(days=65),
        expires_at=SEEN + timedelta(days=300),
    )


def lineage(*roots: Root, last: int = 0, ended: bool = False) -> Lineage:
    """The lineage of these roots; `last` is the highest generation that was begun, if it isn't one of theirs."""
    return Lineage(
        mesh=Mesh.LINKERD,
        trust_domain=roots[0].trust_domain,
        roots=roots,
        last=last or roots[-1].generation,
        last_ended=ended,
    )
