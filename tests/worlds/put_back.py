"""Objects of a mesh that are put back as an ordinary nightly backup holds them."""

import base64
from datetime import timedelta

from local.cloud.kubernetes.objects import Object
from local.stage import RunningApp
from shared.domain.trust.linkerd.owners import digest
from tests.worlds.issuers import ISSUER

BUNDLE = "linkerd-identity-trust-roots"
_SERVER_S = ("resourceVersion", "uid", "creationTimestamp", "managedFields", "generation")


def backup_of(stage: RunningApp, kind: str, name: str, cluster: str = "aks-east") -> Object:
    """The object as a backup holds it."""
    found = stage.world.kubernetes.clusters[cluster].get(kind, "linkerd", name)
    metadata = {key: value for key, value in found["metadata"].items() if key not in _SERVER_S}
    return {"apiVersion": "v1", "kind": kind, **found, "metadata": metadata}


def issuer_backup(stage: RunningApp, *, annotated: bool = True) -> Object:
    """The issuer, as if Meshward had renewed it once, or as nobody has."""
    found = backup_of(stage, "Secret", ISSUER)
    return _written(stage, found, base64.b64decode(found["data"]["tls.crt"]).decode()) if annotated else found


def bundle_backup(stage: RunningApp) -> Object:
    """The bundle, as if an earlier rotation had written it."""
    found = backup_of(stage, "ConfigMap", BUNDLE)
    return _written(stage, found, found["data"]["ca-bundle.crt"])


def _written(stage: RunningApp, backup: Object, text: str) -> Object:
    said = {
        "meshward/applied-at": (stage.clock.now() - timedelta(hours=1)).isoformat(),
        "meshward/applied-sha256": digest(text),
    }
    return {**backup, "metadata": {**backup["metadata"], "annotations": said}}


def put_back(stage: RunningApp, backup: Object, cluster: str = "aks-east") -> None:
    """Restore the object in place of what is there."""
    there = stage.world.kubernetes.clusters[cluster]
    there.delete(backup["kind"], "linkerd", backup["metadata"]["name"])
    there.apply(backup)
