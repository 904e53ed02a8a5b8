"""What an operator chooses when installing Linkerd, and the names that follow from it or never change."""

from dataclasses import dataclass

NAMESPACE = "linkerd"
TRUST_ROOTS = "linkerd-identity-trust-roots"
ISSUER = "linkerd-identity-issuer"
WEBHOOK = "linkerd-proxy-injector-webhook-config"
BUNDLE_KEY = "ca-bundle.crt"
ANCHORS_ENV = "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS"
COMPONENT, CONTROL_PLANE_NS = "linkerd.io/control-plane-component", "linkerd.io/control-plane-ns"
RELEASES = {
    "2.14": "stable-2.14.10",
    "2.15": "edge-24.2.4",
    "2.16": "edge-24.8.2",
    "2.17": "edge-24.11.8",
    "2.18": "edge-25.4.4",
    "2.19": "edge-25.10.7",
    "2.20": "edge-26.6.3",
}


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What an operator chose at installation; `version` as 2.19."""

    trust_domain: str
    version: str
    native_sidecars: bool

    @property
    def release(self) -> str:
        return RELEASES[self.version]

    @property
    def minor(self) -> int:
        return int(self.version.partition(".")[2])
