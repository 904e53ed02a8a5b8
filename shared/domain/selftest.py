"""The self-test's words: what was tried, as whom, what came of it, and the command that repairs it.

Every assignment of infra/roles.json that the app itself can try out has a check of its own; one read shows that a role
acts, whatever else it allows. What repairs a check depends on the reason it failed for.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from shared.domain.admission import AllowList, Fleet
from shared.domain.cluster import MESH_TAG, PROTECT_TAG, TRUST_DOMAIN_TAG, Cluster
from shared.domain.documents import Mark
from shared.domain.errors import MeshwardError, PermanentError
from shared.domain.resource_id import parsed, same, subscription_scope

TRIED = Mark("selftest/{name}", "A self-test wrote to the store, or its event came back.")
# What a subscription of the fleet needs; infra/providers.sh registers these, and more for the installation itself.
PROVIDERS = (
    "Microsoft.ContainerService",
    "Microsoft.DataProtection",
    "Microsoft.EventGrid",
    "Microsoft.KubernetesConfiguration",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.RecoveryServices",
    "Microsoft.ResourceGraph",
    "Microsoft.Storage",
)
CLUSTER_EVENTS, CERTIFICATE_EVENTS = "on-cluster-event", "on-certificate-event"  # after the installation's name
CLOCK_TOLERANCE = timedelta(seconds=20)  # Linkerd's own allowance for leaves; Azure's Date header counts whole seconds
AFTER_CODE = "infra/after-code.sh"
UPLOAD = "az storage blob upload …  # docs/policy.md"
DEPLOY = "make deploy"  # each of its steps may be repeated, and puts back what is missing
_APP = '--resource-group "$AZURE_RESOURCE_GROUP" --name "$FUNCTION_APP"'
_POLICY = "correct the policy document as said, and upload it  # docs/policy.md"
_KEY_VAULTS = "Microsoft.KeyVault/vaults"


class SelftestCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Something to try."""

    name: str  # of the check
    repairs: dict[str, str] = {}  # the repairing command by the reason of a failure
    otherwise: str = DEPLOY  # what repairs all others
    subject: str = ""  # the cluster, subscription or key that it is about, if any
    trust_domain: str = ""  # that the cluster claims, if any


class SelftestFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a check. `line` is the same text everywhere: on the command line, over HTTP, in the log."""

    check: str
    passed: bool
    line: str


def finding(check: SelftestCheck, error: MeshwardError | None = None) -> SelftestFinding:
    """Passed unless something was run into."""
    what = f"{check.name} {check.subject}".strip()
    if error is None:
        return SelftestFinding(check=check.name, passed=True, line=f"ok    {what}")
    repair = check.repairs.get(error.reason, check.otherwise)
    return SelftestFinding(check=check.name, passed=False, line=f"FAIL  {what}: {error.message}\n      {repair}")


class SelftestSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the app that repairing commands name, as `Settings` has them."""

    rotator_client_id: str  # of the rotator's identity
    provisioner_client_id: str  # of the provisioner's identity
    verifier_client_id: str  # of the verifier's identity
    subscriptions: tuple[str, ...]  # GUIDs of the fleet's subscriptions
    key_vault_name: str  # of the vault with the trust roots
    event_topic_url: str  # where the verifier publishes events
    store_url: str  # az://<account>/<container>


class SystemTopic(msgspec.Struct, frozen=True, kw_only=True):
    """Where Azure publishes events of a source (a resource id); `states` are those of its subscriptions, by name."""

    source: str
    states: dict[str, str]

    def of_subscription(self, subscription: str) -> bool:
        """Whether the source is this subscription."""
        return same(self.source, str(subscription_scope(subscription)))

    def of_vault(self, name: str) -> bool:
        """Whether the source is the key vault of this name."""
        id = parsed(self.source)
        return id is not None and id.of_type(_KEY_VAULTS) and same(id.name, name)


def checks_of(
    app: SelftestSettings, topics: Iterable[SystemTopic], roots: Iterable[str], fleet: Fleet
) -> list[SelftestCheck]:
    """What is tried: in every installation, of these roots (names of certificates), and in these clusters."""
    return [
        *installation_checks(app),
        *certificate_event_checks(app, topics),
        *(key_check(app, certificate) for certificate in roots),
        *(check for cluster in fleet.clusters for check in cluster_checks(cluster, fleet.allow_list)),
    ]


def installation_checks(app: SelftestSettings) -> list[SelftestCheck]:
    """What is tried in every installation, whatever its fleet."""
    duties = ("rotator", "provisioner", "verifier")
    return [
        SelftestCheck(name="clock", otherwise=f"az functionapp restart {_APP}"),
        *(_providers_check(subscription) for subscription in app.subscriptions),
        *(_cluster_events_check(app, subscription) for subscription in app.subscriptions),
        *(_clusters_check(app, duty) for duty in duties),
        SelftestCheck(
            name="certificates",
            repairs=_repairs(app.rotator_client_id, *_vault_role(app)),
        ),
        SelftestCheck(name="roots", otherwise="GET /api/plans/rotations lists them too  # docs/rotation.md"),
        _store_check(app),
        SelftestCheck(name="evidence"),
        SelftestCheck(name="policy", repairs=dict.fromkeys(("BadPolicy", "PolicyElsewhere"), UPLOAD)),
    ]


def _providers_check(subscription: str) -> SelftestCheck:
    register = f"az provider register --subscription {subscription} --wait --namespace"
    repair = f'for each in {" ".join(PROVIDERS)}; do {register} "$each"; done'
    return SelftestCheck(name="providers", repairs={"ProvidersUnregistered": repair}, subject=subscription)


def _cluster_events_check(app: SelftestSettings, subscription: str) -> SelftestCheck:
    repairs = _repairs(
        app.provisioner_client_id, f"Meshward provisioner ({subscription})", str(subscription_scope(subscription))
    )
    return SelftestCheck(name="cluster events", repairs=repairs, otherwise=AFTER_CODE, subject=subscription)


def certificate_event_checks(app: SelftestSettings, topics: Iterable[SystemTopic]) -> list[SelftestCheck]:
    """The check that the key vault's events reach us, if its system topic is in a subscription of the fleet."""
    check = SelftestCheck(name="certificate events", otherwise=AFTER_CODE, subject=app.key_vault_name)
    return [check for topic in topics if topic.of_vault(app.key_vault_name)]


def _clusters_check(app: SelftestSettings, duty: str) -> SelftestCheck:
    identity = getattr(app, f"{duty}_client_id")
    roles = [_assign(identity, f"Meshward {duty} ({s})", str(subscription_scope(s))) for s in app.subscriptions]
    return SelftestCheck(
        name=f"clusters as {duty}", repairs={"Forbidden": "; ".join(roles), "NoToken": _attach(identity)}
    )


def _store_check(app: SelftestSettings) -> SelftestCheck:
    account = app.store_url.removeprefix("az://").partition("/")[0]
    scope = f"$(az storage account show --name {account} --query id --output tsv)"
    # The store's client doesn't tell a missing role from a missing container; DEPLOY makes both.
    return SelftestCheck(
        name="store", otherwise=f"{_assign(app.verifier_client_id, 'Storage Blob Data Contributor', scope)}; {DEPLOY}"
    )


def key_check(app: SelftestSettings, certificate: str) -> SelftestCheck:
    """The check that a trust root's key signs, and that it is the certificate's."""
    enable = f"az keyvault key set-attributes --vault-name {app.key_vault_name} --name {certificate} --enabled true"
    repairs = _repairs(app.rotator_client_id, *_vault_role(app)) | {"KeyUnusable": enable}
    replace = f'the root must be replaced (docs/rotation.md): POST /api/rotations {{"certificate": "{certificate}"}}'
    return SelftestCheck(name="key", repairs=repairs | {"WrongKey": replace}, subject=certificate)


def event_check(app: SelftestSettings) -> SelftestCheck:
    """The check that an event published to our topic comes back."""
    topic = f"$(az eventgrid topic list --query \"[?endpoint=='{app.event_topic_url}'].id\" --output tsv)"
    repairs = _repairs(app.verifier_client_id, "EventGrid Data Sender", topic)
    return SelftestCheck(name="event", repairs=repairs | {"EventLost": AFTER_CODE})


def cluster_checks(cluster: Cluster, allow_list: AllowList) -> list[SelftestCheck]:
    """That those identities reach a cluster that work in it, and may do what they have to.

    One that isn't listed by the trust domain which it claims isn't asked anything.
    """
    domain, protected = cluster.trust_domain, cluster.tagged(PROTECT_TAG, "true")
    if cluster.unreadable(PROTECT_TAG, MESH_TAG, TRUST_DOMAIN_TAG):
        repair = (
            f"az tag update --operation merge --resource-id '{cluster.id}' --tags <tag>=<value>  # docs/clusters.md"
        )
        return [SelftestCheck(name="tags", otherwise=repair, subject=cluster.id)]
    if domain and not allow_list.lists(domain, cluster.id):
        return [SelftestCheck(name="admission", otherwise=_POLICY, subject=cluster.id, trust_domain=domain)]
    meshed = cluster.tagged(MESH_TAG, "linkerd")
    member = meshed and bool(domain)
    works = {"rotator": member, "provisioner": member and protected, "verifier": protected}
    apply = f"kubectl kustomize infra/cluster/{'linkerd' if meshed else 'base'} | envsubst | kubectl apply -f -"
    repair = f"az aks start --ids '{cluster.id}'" if cluster.stopped else f"{apply}  # docs/clusters.md"
    look = f"az aks show --ids '{cluster.id}' --query apiServerAccessProfile"
    repairs = {} if cluster.stopped else {"Unreachable": f"{look}  # allow the app's subnet or addresses"}
    return [
        SelftestCheck(
            name=f"cluster as {duty}", repairs=repairs, otherwise=repair, subject=cluster.id, trust_domain=domain
        )
        for duty, does in works.items()
        if does
    ]


def require_same_clock(azure: datetime, before: datetime, after: datetime) -> None:
    """Raise PermanentError if Azure, asked between these two moments of our clock, answered with another time."""
    if max(before - azure, azure - after) > CLOCK_TOLERANCE:
        message = (
            f"the app's clock reads {before:%H:%M:%S}, Azure's {azure:%H:%M:%S}: certificates would get wrong dates"
        )
        raise PermanentError("ClockSkewed", message)


def require_registered(subscription: str, states: dict[str, str]) -> None:
    """Raise PermanentError that names each resource provider (state by namespace) that isn't registered."""
    missing = [f"{name} ({state})" for name, state in states.items() if state != "Registered"]
    if missing:
        message = f"not registered in subscription {subscription}: {', '.join(missing)}"
        raise PermanentError("ProvidersUnregistered", message)


def require_subscribed(topics: Iterable[SystemTopic], source: str, name: str) -> None:
    """Raise PermanentError unless there is an event subscription of this name to the one topic of the source."""
    states = [topic.states.get(name, "missing") for topic in topics]
    if states != ["Succeeded"]:
        state = states[0] if states else "missing, and so is a system topic"
        raise PermanentError("NotSubscribed", f"the event subscription {name} of {source} is {state}")


def require_permitted(duty: str, cluster: str, missing: Sequence[str]) -> None:
    """Raise PermanentError that names what the duty's identity may not do in the cluster."""
    if missing:
        message = f"the {duty} may not {', '.join(missing)} in cluster {cluster}"
        raise PermanentError("MissingPermissions", message)


def _vault_role(app: SelftestSettings) -> tuple[str, str]:
    """The role on the key vault, which is called after the vault's subscription, and the scope."""
    vault = f"$(az keyvault show --name {app.key_vault_name} --query id --output tsv)"
    return f"Meshward root signer ($(echo {vault} | cut -d / -f 3))", vault


def _repairs(identity: str, role: str, scope: str) -> dict[str, str]:
    return {"Forbidden": _assign(identity, role, scope), "NoToken": _attach(identity)}


def _assign(identity: str, role: str, scope: str) -> str:
    return f'az role assignment create --assignee {identity} --role "{role}" --scope {scope}'


def _attach(identity: str) -> str:
    found = f"$(az identity list --query \"[?clientId=='{identity}'].id\" --output tsv)"
    return f"az functionapp identity assign {_APP} --identities {found}"
