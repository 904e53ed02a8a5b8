"""Whether a secondary datacenter signs under the primary's root.

A secondary that the primary refused an intermediate lists the new root as active all the same, and signs no leaf any
more. So the same active root proves nothing: it must have a key of its own, and an intermediate for it.
"""

from cryptography import x509

from shared.domain.trust.certificates import certificates_in
from shared.domain.trust.consul.facts import ConsulRoot, ConsulRoots


def behind(primary: ConsulRoots, secondary: ConsulRoots) -> str:
    """Why the secondary doesn't sign under the primary's active root; empty if it does, as far as roots tell."""
    first, second = primary.active, secondary.active
    if first is None or second is None:
        return f"the {'secondary' if first else 'primary'} has no active root"
    if first.id != second.id:
        return f"its active root is {second.id}, and the primary's {first.id}"
    if first.signing_key_id == second.signing_key_id:
        return "it has no signing key of its own: the primary has refused it an intermediate"
    if second.signing_key_id not in _certified(second):
        return "it has no intermediate for its signing key"
    return ""


def _certified(root: ConsulRoot) -> set[str]:
    """The keys that the root's intermediates are for, as Consul writes their identifiers."""
    try:
        found = [certificate for pem in root.intermediates for certificate in certificates_in(pem)]
    except ValueError:
        return set()
    return {_key_id(certificate) for certificate in found}


def _key_id(certificate: x509.Certificate) -> str:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex(":")
    except (x509.ExtensionNotFound, ValueError):
        return ""
