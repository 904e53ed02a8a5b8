"""Where the API server of a cluster is: a kubeconfig says it, and Resource Manager has to say the same.

One token opens every cluster of AKS that its holder may reach (docs/clusters.md). So it goes by HTTPS to the host that
Resource Manager names, whatever else a kubeconfig says; the URL is put together from that host.

A cluster's authority is pinned. Those of older clusters lack extensions that RFC 5280 asks for (Key Usage, Authority
Key Identifier): the chain to that authority, the name and the dates have to be right, and no more.
"""

import base64
import re
import ssl
from collections.abc import Collection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from shared.adapters.kubernetes.bounds import document
from shared.adapters.kubernetes.errors import OutOfBounds
from shared.domain.errors import PermanentError, shown

_PATH = re.compile(r"(?:/[A-Za-z0-9_-]*)*", re.ASCII)


class Endpoint(NamedTuple):
    """Where an API server is, and which authority its certificate is of."""

    url: str
    tls: ssl.SSLContext


class _Server(msgspec.Struct):
    server: str
    authority: str = msgspec.field(name="certificate-authority-data")


class _Named(msgspec.Struct):
    cluster: _Server


class _Kubeconfig(msgspec.Struct):
    clusters: list[_Named]


def endpoint_of(cluster: str, kubeconfig: str, hosts: Collection[str]) -> Endpoint:
    """The endpoint that the kubeconfig names; raises PermanentError unless its host is one of these, by HTTPS."""
    what = f"the kubeconfig of cluster {cluster}"
    found: Any = document(kubeconfig, what)
    try:
        named = msgspec.convert(found, _Kubeconfig).clusters[0].cluster
        tls = ssl.create_default_context(cadata=base64.b64decode(named.authority).decode("ascii"))
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    except (msgspec.ValidationError, RecursionError, IndexError, ValueError, ssl.SSLError) as error:
        raise OutOfBounds(f"{what} names no API server and its authority: {shown(str(error))}") from error
    return Endpoint(_url(cluster, named.server, hosts), tls)


def _url(cluster: str, server: str, hosts: Collection[str]) -> str:
    try:
        parts = urlsplit(server)
        host, port = (parts.hostname or "").lower(), parts.port or 443
    except ValueError:
        parts, host, port = urlsplit(""), "", 443
    if parts.scheme != "https" or host not in hosts or not _PATH.fullmatch(parts.path):
        raise PermanentError(
            "ApiServerElsewhere",
            f"the kubeconfig of cluster {cluster} names {shown(server)}, and Resource Manager says that its API server"
            f" is https://{' or https://'.join(sorted(hosts)) or '(none)'}",
        )
    return f"https://{host}:{port}{parts.path.rstrip('/')}/"
