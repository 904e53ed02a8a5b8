"""A key vault with what people bring into it: roots of earlier days, their issuers, certificates with keys."""

from datetime import datetime

from cryptography import x509

from local.cloud.key_vault.certificates import Certificate, PendingCertificate
from local.cloud.key_vault.events import NEW_VERSION
from local.cloud.key_vault.keys import PrivateKey, PublicKey, key_props
from local.cloud.key_vault.rules import complete_policy, deleted_but_recoverable, pending_exists
from local.cloud.key_vault.state import VaultState
from local.cloud.key_vault.x509 import issue, signing_request


class Vault(VaultState):
    """A key vault."""

    def import_certificate(
        self, name: str, issued: x509.Certificate, key: PrivateKey, *, exportable: bool = True, tags: dict[str, str]
    ) -> Certificate:
        """A new version that somebody brings along, with its key."""
        if name.lower() in self.deleted:
            raise deleted_but_recoverable(name)
        policy = complete_policy({"issuer": {"name": "Unknown"}})
        policy["key_props"] = key_props(key, exportable=exportable)
        certificate = self.certificates.setdefault(name.lower(), Certificate(name, policy, self.now, self.now))
        if certificate.pending and certificate.pending.status == "inProgress":
            raise pending_exists()
        certificate.policy, certificate.policy_updated = policy, self.now
        version = self._new_version(certificate, reuse=False, key=key)
        version.tags = tags
        version.carry(issued, enabled=True, now=self.now)
        self._publish(NEW_VERSION, certificate.name)
        self._watch_expiry(certificate, version)
        return certificate

    def seed_root(
        self,
        name: str,
        *,
        subject_cn: str,
        not_before: datetime,
        not_after: datetime,
        tags: dict[str, str],
        key: PrivateKey | None = None,
    ) -> x509.Certificate:
        """A trust root made at `not_before`: a self-issued version, now disabled, then the CA with the same key.

        Without a `key`, one on P-256 is made.
        """
        subject = f"CN={subject_cn}"
        policy = complete_policy({"x509_props": {"subject": subject}, "issuer": {"name": "Unknown"}})
        certificate = self.certificates[name.lower()] = Certificate(name, policy, not_before, not_before)
        if key:
            certificate.policy["key_props"] = key_props(key, exportable=False)
        plain, root = self._new_version(certificate, reuse=False, key=key), self._new_version(certificate, reuse=True)
        for version, path_length in ((plain, None), (root, 1)):
            issued = issue(
                subject,
                version.key.public_key(),
                issuer=subject,
                signer=version.key,
                validity=(not_before, not_after),
                path_length=path_length,
            )
            version.carry(issued, enabled=version is root, now=not_before)
            version.created = not_before
        root.tags = tags
        certificate.pending = PendingCertificate(
            root, policy["issuer"], signing_request(subject, root.key), status="completed"
        )
        self._watch_expiry(certificate, root)
        assert root.certificate is not None
        return root.certificate

    def sign_issuer(
        self,
        root_name: str,
        subject_cn: str,
        public_key: PublicKey,
        not_before: datetime,
        not_after: datetime,
    ) -> x509.Certificate:
        """An intermediate under a root of this vault, as if it had been signed earlier."""
        root = self.certificate(root_name).current
        assert root.certificate is not None
        return issue(
            f"CN={subject_cn}",
            public_key,
            issuer=root.certificate.subject.rfc4514_string(),
            signer=root.key,
            validity=(not_before, not_after),
            path_length=0,
        )
