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
    "2.14": ("stable-2.14.10", "v2.210.4"),
    "2.15": ("edge-24.2.4", "v2.221.0"),
    "2.16": ("edge-24.8.2", "v2.246.0"),
    "2.17": ("edge-24.11.8", "v2.268.0"),
    "2.18": ("edge-25.4.4", "v2.294.0"),
    "2.19": ("edge-25.10.7", "v2.326.0"),
    "2.20": ("edge-26.6.3", "v2.359.0"),
}


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What an operator chose at installation; `version` as 2.19."""

    trust_domain: str
    version: str
    native_sidecars: bool

    @property
    def release(self) -> str:
        return RELEASES[self.version][0]

    @property
    def proxy_version(self) -> str:
        return RELEASES[self.version][1]

    @property
    def minor(self) -> int:
        return int(self.version.partition(".")[2])
