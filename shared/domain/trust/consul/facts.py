"""What is seen of a Consul datacenter: facts that gates and decisions judge.

A trust domain of Consul is a primary datacenter and its secondaries. All have its roots; each has a configuration and
a signing key of its own.
"""

from datetime import datetime, timedelta

import msgspec


class ConsulServers(msgspec.Struct, frozen=True, kw_only=True):
    """Where the servers of a datacenter are reached, and how to log in there."""

    datacenter: str  # its name
    url: str  # https://host:port
    authority: str  # PEM: who signs the servers' certificate; nobody else is believed
    auth_method: str  # of type jwt
    primary: str  # the datacenter that has the auth method: secondaries have none


class ConsulRoot(msgspec.Struct, frozen=True, kw_only=True):
    """A root as a datacenter lists it."""

    id: str  # Consul's own: SHA-1 of the certificate
    certificate: str  # PEM
    intermediates: tuple[str, ...]  # PEM: the root signed by the one before it, then what the datacenter signs with
    signing_key_id: str  # of the key that the datacenter's leaves are signed with
    active: bool  # whether leaves are signed under it


class ConsulRoots(msgspec.Struct, frozen=True, kw_only=True):
    """The roots of a datacenter; while leaves may still be of an old one, that is listed too."""

    trust_domain: str
    active_id: str  # empty: the datacenter has no root yet
    roots: tuple[ConsulRoot, ...]
    index: int  # for a question that is answered once there is something newer

    @property
    def active(self) -> ConsulRoot | None:
        return next((root for root in self.roots if root.active), None)


class ConsulLeaf(msgspec.Struct, frozen=True, kw_only=True):
    """A leaf as Consul signs it for a service; its private key isn't read."""

    service: str  # its name
    spiffe_id: str  # which says the datacenter, too
    serial: str  # hexadecimal, with colons
    chain: str  # PEM: the leaf first
    index: int  # for a question that is answered once there is something newer


class ServiceInstance(msgspec.Struct, frozen=True, kw_only=True):
    """An instance of a service, or the proxy in front of one, as the catalog lists it."""

    id: str  # of its own on its node
    node: str  # the node's name
    service: str  # the service's name
    kind: str  # `connect-proxy`, a kind of gateway; empty: a service
    stands_for: str  # the service that the proxy is in front of; empty: it is no proxy
    native: bool  # whether it speaks to the mesh without a proxy
    address: str  # where it is reached
    port: int  # on that address


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server of a datacenter, as its leader sees it."""

    name: str
    version: str  # of Consul
    healthy: bool
    voter: bool


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the servers of a datacenter are well, and how many could be lost."""

    healthy: bool
    failure_tolerance: int
    servers: tuple[Server, ...]


class Replication(msgspec.Struct, frozen=True, kw_only=True):
    """How a secondary copies the primary's tokens and policies; its last error stays after a repair."""

    running: bool
    last_success: datetime | None
    last_error: datetime | None
    last_error_message: str


class AuthMethod(msgspec.Struct, frozen=True, kw_only=True):
    """An auth method that lets holders of Entra tokens log in."""

    name: str  # its own
    kind: str  # `jwt` for Entra's tokens
    token_locality: str  # `global`, or empty for tokens of one datacenter
    max_token_ttl: timedelta | None  # None: tokens never expire
    issuer: str  # whose tokens it takes; empty: anybody's
    audiences: tuple[str, ...]  # for whom these must be; empty: for anybody
    claims: dict[str, str]  # what selectors call each claim


class BindingRule(msgspec.Struct, frozen=True, kw_only=True):
    """What a login with an auth method is given."""

    id: str
    selector: str
    bind_type: str
    bind_name: str


class ConfigEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A config entry, such as the intentions of a service, as Consul returns it."""

    kind: str
    name: str
    content: dict[str, object]
    modify_index: int  # by which a write notices a change since
