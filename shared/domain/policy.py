"""The policy document: how Meshward does its work, for everything and for single trust domains and clusters.

    {"default":       {"trust": {"restarts_at_once": 5}},
     "trust_domains": {"shop.example": {"members": ["/subscriptions/…/resourceGroups/shop"],
                                        "trust": {"maintenance": [{"from": "01:00", "to": "05:00"}]}}},
     "clusters":      {"/subscriptions/…/managedClusters/blue": {"trust": {"distribute_within": "P3D"}}}}

Rules:
- Every knob has a default, so that an absent document is one that says nothing.
- A cluster's knob overrides its trust domain's, which overrides the document's default; a list is replaced as a whole.
  Names are compared without case.
- A trust domain lists its members, and its knobs reach these alone (`admission`). A cluster lists its sources.
- A knob is declared in one place: a field of its section with its bounds, default and docstring (`knobs`).
- Unknown names, wrong types and impossible values are refused with the JSON path of the field. A section's
  `__post_init__` refuses a value with a ValueError "<knob>: <why>".
"""

import json
from functools import cached_property
from typing import Any

import msgspec

from shared.domain.admission import AllowList, require_scope
from shared.domain.cluster import cluster_id
from shared.domain.conversion import Misfit, converted
from shared.domain.errors import PermanentError, shown
from shared.domain.knobs import renamed
from shared.domain.resource_id import folded, same
from shared.domain.restores.policy import VerifyPolicy
from shared.domain.trust.policy import TrustPolicy
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.sources import require_source

POLICY = "policy.json"
_LONGEST = 1024 * 1024  # bytes; a layer for each of a thousand clusters takes half of it


class Knobs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All knobs, a section per concern."""

    trust: TrustPolicy = TrustPolicy()
    protect: ProtectPolicy = ProtectPolicy()
    verify: VerifyPolicy = VerifyPolicy()


class TrustDomain(Knobs, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of a trust domain: who belongs to it, and the knobs that hold for these."""

    members: tuple[str, ...] = ()
    """Resource ids of clusters, of resource groups or of subscriptions, whose clusters with the domain's tags belong to
    it. A cluster that isn't listed is never contacted, whatever its tags say."""

    def __post_init__(self) -> None:
        try:
            for member in self.members:
                require_scope(member)
        except PermanentError as error:
            raise ValueError(f"members: {error.message}") from error


class NamedCluster(Knobs, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of a cluster: whose shares and machines it may back up, and the knobs that hold for it."""

    sources: tuple[str, ...] = ()
    """Resource ids of storage accounts, virtual machines or resource groups. What the cluster's tags name of these may
    be backed up for it; anything else needs its owner's tag `meshward:backed-up-for`."""

    def __post_init__(self) -> None:
        try:
            for source in self.sources:
                require_source(source)
        except PermanentError as error:
            raise ValueError(f"sources: {error.message}") from error


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """The document as it was written, checked; its parts say what differs from the defaults of `Knobs`."""

    default: Any = {}
    trust_domains: dict[str, Any] = {}
    clusters: dict[str, Any] = {}

    def at(self, trust_domain: str = "", cluster: str = "") -> Knobs:
        """The knobs of a trust domain, or of a cluster (resource id); those of the domain if it lists the cluster."""
        admitted = not cluster or self.allow_list.lists(trust_domain, cluster)
        domain = _named(self.trust_domains, trust_domain) if admitted else {}
        layers = [self.default, domain, _named(self.clusters, cluster)]
        sections = {section for layer in layers for section in layer if section in Knobs.__struct_fields__}
        merged = {s: {k: v for layer in layers for k, v in layer.get(s, {}).items()} for s in sections}
        return _converted(merged, Knobs, f"$ (merged for {cluster or trust_domain})")

    def sources(self, cluster: str) -> tuple[str, ...]:
        """The accounts, machines and groups that are listed as sources of a cluster (resource ids)."""
        return tuple(_named(self.clusters, cluster).get("sources", ()))

    @cached_property
    def allow_list(self) -> AllowList:
        """Which clusters belong to which trust domain."""
        return AllowList({name: domain.get("members", ()) for name, domain in self.trust_domains.items()})


def policy_of(document: bytes | None) -> Policy:
    """Read and check the document; raises PermanentError "BadPolicy" that says where what is wrong."""
    if document and len(document) > _LONGEST:
        raise PermanentError("BadPolicy", f"the policy document has more than {_LONGEST} bytes")
    try:
        found = json.loads(document) if document else {}
    except (ValueError, RecursionError) as error:
        raise PermanentError("BadPolicy", f"the policy document isn't JSON: {shown(str(error))}") from error
    policy = _current(_converted(found, Policy, "$"))
    _converted(policy.default, Knobs, "$.default")
    for part, kind in (("trust_domains", TrustDomain), ("clusters", NamedCluster)):
        named = getattr(policy, part)
        for name, layer in named.items():
            _require_name(f"$.{part}", name, list(named))
            _converted(layer, kind, f"$.{part}[{json.dumps(name)}]")
    return policy


def _current(policy: Policy) -> Policy:
    """The document with today's names of knobs."""
    sections = {field.name: field.type for field in msgspec.structs.fields(Knobs)}

    def layer(given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        whole = {s: knobs for s, knobs in given.items() if s in sections and isinstance(knobs, dict)}
        return given | {section: renamed(sections[section], knobs) for section, knobs in whole.items()}

    named = [{name: layer(given) for name, given in part.items()} for part in (policy.trust_domains, policy.clusters)]
    return Policy(default=layer(policy.default), trust_domains=named[0], clusters=named[1])


def _require_name(path: str, name: str, names: list[str]) -> None:
    if [folded(n) for n in names].count(folded(name)) > 1:
        raise _bad_policy(path, f"{name} is there twice, in different case")
    try:
        if path == "$.clusters":
            cluster_id(name)
    except PermanentError as error:
        raise _bad_policy(path, error.message) from error


def _named(layers: dict[str, Any], name: str) -> Any:
    return next((layer for key, layer in layers.items() if same(key, name)), {})


def _converted[T](found: Any, kind: type[T], path: str) -> T:
    try:
        return converted(found, kind)
    except Misfit as misfit:
        raise _bad_policy(f"{path}{misfit.at}", misfit.why) from misfit


def _bad_policy(path: str, why: str) -> PermanentError:
    return PermanentError("BadPolicy", f"the policy document is refused: {shown(path)}: {shown(why)}")
