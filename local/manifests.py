"""What infra teams apply to a cluster, as `kubectl kustomize` and `envsubst` make it of infra/cluster."""

import json
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import yaml  # type: ignore[import-untyped]

type Object = dict[str, Any]

_FOLDER = Path(__file__).parents[1] / "infra" / "cluster"


def manifests(overlay: str, **duties: str) -> list[Object]:
    """The objects of an overlay, its base first, for `duties`: rotator, verifier and provisioner by object id."""
    return _for(duties, _parsed(overlay))


def places(verifier: str) -> list[Object]:
    """What confines the copies that the verifier (object id) makes, and the verifier itself."""
    return _for({"verifier": verifier}, _of_files("base/places.yaml", "base/copies.yaml"))


def _for(duties: dict[str, str], text: str) -> list[Object]:
    ids = {f"{duty.upper()}_OBJECT_ID": id for duty, id in duties.items()}
    objects: list[Object] = json.loads(Template(text).substitute(ids))
    return objects


@cache
def _parsed(overlay: str) -> str:
    """As JSON, because reading YAML takes half a second."""
    return _as_json(_texts(_FOLDER / overlay))


@cache
def _of_files(*names: str) -> str:
    return _as_json([(_FOLDER / name).read_text() for name in names])


def _as_json(texts: list[str]) -> str:
    return json.dumps(list(yaml.load_all("\n---\n".join(texts), yaml.CSafeLoader)))


def _texts(folder: Path) -> list[str]:
    """Files and folders in the order of the kustomization, which must not ask for more than that."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert kustomization.keys() == {"apiVersion", "kind", "resources"}
    paths = [folder / name for name in kustomization["resources"]]
    return [text for path in paths for text in (_texts(path) if path.is_dir() else [path.read_text()])]
