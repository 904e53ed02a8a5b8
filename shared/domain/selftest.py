"""The self-test's words: what was tried, as whom, what came of it, and the command that mends it.

Every assignment of infra/roles.json that the app itself can try out has a check of its own; one read shows that a role
acts, whatever else it allows.
"""

import msgspec

from shared.domain.errors import MeshwardError

EVENT = "Meshward.SelfTest"
FOLDER = "selftest"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Something to try; `subject` is the cluster it is about, if any."""

    name: str
    mend: str
    subject: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a check. `line` is the same text everywhere: on the command line, over HTTP, in the log."""

    check: str
    passed: bool
    line: str


def finding(check: Check, error: MeshwardError | None = None) -> Finding:
    """Passed unless something was run into."""
    what = f"{check.name} {check.subject}".strip()
    if error is None:
        return Finding(check=check.name, passed=True, line=f"ok    {what}")
    return Finding(check=check.name, passed=False, line=f"FAIL  {what}: {error.message}\n      {check.mend}")


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """What the app is told: the identities' client ids, and where things are."""

    rotator: str
    provisioner: str
    verifier: str
    subscriptions: tuple[str, ...]
    key_vault: str
    topic_url: str
    store_url: str


def role_checks(told: Places) -> list[Check]:
    """A check for each role that the app can try out."""
    fleet = [(duty, told.subscriptions) for duty in ("rotator", "provisioner", "verifier")]
    checks = [
        Check(
            name=f"clusters as {duty}",
            mend="; ".join(_assign(getattr(told, duty), f"Meshward {duty} ({s})", f"/subscriptions/{s}") for s in all_),
        )
        for duty, all_ in fleet
    ]
    vault = f"$(az keyvault show --name {told.key_vault} --query id --output tsv)"
    account = told.store_url.removeprefix("az://").partition("/")[0]
    store = f"$(az storage account show --name {account} --query id --output tsv)"
    return [
        *checks,
        Check(name="certificates", mend=_assign(told.rotator, "Key Vault Certificates Officer", vault)),
        Check(name="keys", mend=_assign(told.rotator, "Key Vault Crypto User", vault)),
        Check(name="store", mend=_assign(told.verifier, "Storage Blob Data Contributor", store)),
    ]


def event_check(told: Places) -> Check:
    """The check that an event published to our topic comes back."""
    topic = f"$(az eventgrid topic list --query \"[?endpoint=='{told.topic_url}'].id\" --output tsv)"
    return Check(name="event", mend=f"{_assign(told.verifier, 'EventGrid Data Sender', topic)}; infra/after-code.sh")


def cluster_check(cluster: str) -> Check:
    """The check that the rotator reaches a meshed cluster and may do there what it has to."""
    return Check(name="cluster", mend="apply infra/cluster there (docs/clusters.md)", subject=cluster)


def _assign(identity: str, role: str, scope: str) -> str:
    return f'az role assignment create --assignee {identity} --role "{role}" --scope {scope}'
