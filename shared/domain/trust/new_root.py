"""How a root is made in Key Vault so that its key never leaves it: what the vault shows, and the step that follows.

    nothing there              create a key        a self-issued version, the draft, whose key may sign
    draft under way            wait
    draft there                request             a second version with the same key, waiting for its certificate
    request open               merge               the root, signed with the draft's key
    root there, draft enabled  disable the draft
    root there                 done

Rules:
- Key Vault doesn't sign with a key whose certificate is still requested, hence the draft. Of two that work at once, the
  second gets a conflict and looks again.
- Which key is ours, Key Vault's answer to our own request says, and the store keeps it. If that answer was lost,
  another key is created. Nothing else under the new root's name is ever used: it is refused, with the command that
  removes it.
- A root's row is written before the root is merged. While a request is open the root may be signed again: only one
  certificate can be merged, and each has the same key.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from shared.domain.errors import PermanentError, shown
from shared.domain.trust.records import RootKey
from shared.domain.trust.roots import Rotation, root_tags


class RootStep(StrEnum):
    """What to do next."""

    CREATE_KEY = "create key"
    WAIT = "wait"
    REQUEST = "request"
    MERGE = "merge"
    DISABLE_DRAFT = "disable draft"
    DONE = "done"


class CertificateVersion(msgspec.Struct, frozen=True, kw_only=True):
    """An issued version of a certificate."""

    id: str  # in Key Vault
    enabled: bool  # whether it can be used
    created: datetime  # UTC
    tags: dict[str, str]  # as Key Vault has them
    fingerprint: str = ""  # SHA-256, hexadecimal, lower case
    key: str = ""  # SHA-256 of its public key; empty: it can't be read
    starts_at: datetime | None = None  # UTC
    expires_at: datetime | None = None  # UTC


class CertificateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The latest request for a version of a certificate."""

    issuer: str  # Self or Unknown
    status: str
    error: str  # of the service; empty: none
    key: str = ""  # SHA-256 of its public key


class RootInTheMaking(msgspec.Struct, frozen=True, kw_only=True):
    """What is there of a rotation's new root."""

    rotation: Rotation  # whose new root it is
    vault: str  # name of the key vault
    recorded: Collection[str]  # fingerprints that the store has rows of, of this generation
    key: RootKey | None  # as the store has it; None: Meshward hasn't asked for one yet
    versions: Sequence[CertificateVersion]  # that its certificate has
    request: CertificateRequest | None  # the latest; None: there is none

    @property
    def root(self) -> CertificateVersion | None:
        """The version that is the root itself; raises PermanentError if its tags aren't the rotation's."""
        found = [v for v in self.versions if v.fingerprint in self.recorded]
        root = max(found, key=lambda v: v.created, default=None)
        if root and not root_tags(self.rotation).items() <= root.tags.items():
            tags = " ".join(f"{name}={value}" for name, value in root_tags(self.rotation).items())
            raise self._foreign(
                f"somebody has changed its tags: az keyvault certificate set-attributes"
                f" --vault-name {self.vault} --name {self.name} --version {root.id} --tags {tags}"
            )
        return root

    @property
    def others(self) -> list[CertificateVersion]:
        """The enabled versions beside the root."""
        return [v for v in self.versions if v.enabled and v != self.root]

    @property
    def draft(self) -> CertificateVersion:
        """The version whose key signs the root; raises PermanentError if somebody has disabled it."""
        drafts = [v for v in from_our_key(self) if v.enabled]
        if not drafts:
            command = (
                f"az keyvault certificate set-attributes --vault-name {self.vault} --name {self.name} --enabled true"
            )
            message = f"the first version of {self.name} is disabled: enable it, because its key signs: {command}"
            raise PermanentError(
                "DraftDisabled", f"{message} --version {from_our_key(self)[0].id if from_our_key(self) else '<id>'}"
            )
        return max(drafts, key=lambda v: v.created)

    @property
    def name(self) -> str:
        """The name of the new root's certificate."""
        return self.rotation.new

    @property
    def next_step(self) -> RootStep:
        """What to do; raises PermanentError when people have to look."""
        if self.root:
            return RootStep.DISABLE_DRAFT if self.others else RootStep.DONE
        self._refuse_foreign()
        if self.request and self.request.status == "inProgress":
            return RootStep.WAIT if self.request.issuer == "Self" else RootStep.MERGE
        newest = max(self.versions, key=lambda v: v.created, default=None)
        if newest is None or newest not in from_our_key(self):
            return RootStep.CREATE_KEY  # a request takes the newest key, even if it isn't ours
        self._require_not_failed()
        return RootStep.REQUEST

    def _refuse_foreign(self) -> None:
        """Raise PermanentError for what is under the new root's name and isn't of Meshward's making."""
        if (self.versions or self.request) and self.key is None:
            raise self._foreign(f"Meshward didn't make it: delete and purge it: {self._delete}")
        open_request = self.request and self.request.status == "inProgress"
        asked = self.key.key if self.key else ""
        if open_request and self.request and self.request.key != asked and (asked or self.request.issuer != "Self"):
            command = f"az keyvault certificate pending delete --vault-name {self.vault} --name {self.name}"
            raise self._foreign(f"a request for it is open that Meshward didn't send: {command}; then {self._delete}")

    @property
    def _delete(self) -> str:
        return "; ".join(
            f"az keyvault certificate {act} --vault-name {self.vault} --name {self.name}" for act in ("delete", "purge")
        )

    def _foreign(self, why: str) -> PermanentError:
        root = f"root {self.rotation.generation} of {self.rotation.trust_domain}"
        advice = "; where a purge isn't allowed, abort the rotation: the next one takes another name"
        return PermanentError(
            "ForeignRoot", f"certificate {self.name} isn't {root} as Meshward makes it: {why}{advice}"
        )

    def _require_not_failed(self) -> None:
        if self.request and self.request.status != "completed":
            error = shown(self.request.error) or "no reason given"
            command = f"az keyvault certificate pending delete --vault-name {self.vault} --name {self.name}"
            message = f"the request for {self.name} is {self.request.status}: {error}; delete it: {command}"
            raise PermanentError("RootRequestFailed", message)


def from_our_key(making: RootInTheMaking) -> list[CertificateVersion]:
    """The versions whose key is the one that Key Vault has answered Meshward with."""
    return [v for v in making.versions if making.key and making.key.key and v.key == making.key.key]


def soft_deleted(name: str, vault: str) -> PermanentError:
    """The error that says that a name can't be used because something of that name is soft-deleted."""
    commands = " or ".join(
        f"az keyvault certificate {act} --vault-name {vault} --name {name}" for act in ("purge", "recover")
    )
    message = (
        f"key vault {vault} keeps a deleted certificate {name}, so that the name can't be used: {commands} (what isn't"
        " Meshward's is refused when it is recovered; where a purge isn't allowed, abort the rotation: the next one"
        " takes another name)"
    )
    return PermanentError("NameSoftDeleted", message)
