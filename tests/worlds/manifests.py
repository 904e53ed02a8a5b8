"""What infra teams apply to a cluster, as `kubectl kustomize` and `envsubst` make it of infra/cluster."""

import json
from functools import cache
from pathlib import Path
from string import Template

import yaml  # type: ignore[import-untyped]

from local.cloud.world import World
from local.stage import DUTIES
from shared.adapters.kubernetes.api import Object

_FOLDER = Path(__file__).parents[2] / "infra" / "cluster"


def manifests(overlay: str, **duties: str) -> list[Object]:
    """The objects of an overlay, its base first, for `duties`: rotator, verifier and provisioner by object id."""
    ids = {f"{duty.upper()}_OBJECT_ID": id for duty, id in duties.items()}
    objects: list[Object] = json.loads(Template(_parsed(overlay)).substitute(ids))
    return objects


@cache
def _parsed(overlay: str) -> str:
    """As JSON, because reading YAML takes half a second."""
    return json.dumps(list(yaml.safe_load_all("\n---\n".join(_texts(_FOLDER / overlay)))))


def _texts(folder: Path) -> list[str]:
    """Files and folders in the order of the kustomization, which must not ask for more than that."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert kustomization.keys() == {"apiVersion", "kind", "resources"}
    paths = [folder / name for name in kustomization["resources"]]
    return [text for path in paths for text in (_texts(path) if path.is_dir() else [path.read_text()])]


def granted(world: World) -> list[Object]:
    """What an infra team applies, but for the policies, which the simulated API server doesn't judge by."""
    ids = {duty: world.entra.named(duty).object_id for duty in DUTIES}
    return [m for m in manifests("linkerd", **ids) if not m["kind"].startswith("ValidatingAdmissionPolicy")]


def grant(world: World) -> None:
    """Let every cluster judge calls by what its infra team has granted."""
    for cluster in world.kubernetes.clusters.values():
        for manifest in granted(world):
            cluster.apply(manifest)
        cluster.authorization_mode = "RBAC"
