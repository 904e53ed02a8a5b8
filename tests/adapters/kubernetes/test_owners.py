"""Who writes an object, by the marks that tools leave on it."""

from typing import Any

import pytest

from shared.adapters.kubernetes.owners import owner

FIELD = ("f:data", "f:ca-bundle.crt")


def found(*managers: str, **metadata: Any) -> dict[str, Any]:
    entries = [{"manager": m, "fieldsV1": {"f:data": {".": {}, "f:ca-bundle.crt": {}}}} for m in managers]
    other = {"manager": "Helm-labels", "fieldsV1": {"f:metadata": {"f:labels": {}}}}
    return {"metadata": {"managedFields": [other, *entries], **metadata}}


@pytest.mark.parametrize(
    ("managers", "tool"),
    [
        (["kubectl-create", "kubectl"], ""),
        (["meshward"], ""),
        (["before-first-apply"], ""),
        (["kubectl", "Helm"], "Helm"),
        (["helm"], "Helm"),
        (["meshward", "trust-manager"], "trust-manager"),
        (["cert-manager-certificates-issuing"], "cert-manager"),
        (["argocd-controller"], "Argo CD"),
        (["kustomize-controller"], "Flux"),
        (["helm-controller"], "Flux"),
        (["terraform"], "terraform"),
    ],
)
def test_who_holds_a_field_is_read_from_its_managers(managers: list[str], tool: str) -> None:
    assert owner(found(*managers), *FIELD) == tool


@pytest.mark.parametrize(
    ("metadata", "tool"),
    [
        ({}, ""),
        ({"annotations": {"meshward/applied-at": "now"}, "labels": {"app.kubernetes.io/part-of": "Linkerd"}}, ""),
        ({"annotations": {"meta.helm.sh/release-name": "linkerd"}}, "Helm"),
        ({"annotations": {"cert-manager.io/certificate-name": "linkerd-identity-issuer"}}, "cert-manager"),
        ({"annotations": {"cert-manager.io/allow-direct-injection": "true"}}, ""),
        ({"labels": {"trust.cert-manager.io/bundle": "linkerd-identity-trust-roots"}}, "trust-manager"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "linkerd:/ConfigMap:linkerd/x"}}, "Argo CD"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "mesh"}}, "Flux"),
        (
            {
                "labels": {"helm.toolkit.fluxcd.io/name": "linkerd"},
                "annotations": {"meta.helm.sh/release-name": "linkerd"},
            },
            "Flux",
        ),
        ({"ownerReferences": [{"apiVersion": "trust.cert-manager.io/v1alpha1", "kind": "Bundle"}]}, "trust-manager"),
        ({"ownerReferences": [{"apiVersion": "cert-manager.io/v1", "kind": "Certificate"}]}, "cert-manager"),
        ({"ownerReferences": [{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret"}]}, "ExternalSecret"),
    ],
)
def test_marks_tell_who_writes_an_object_also_where_the_field_is_held_by_us(
    metadata: dict[str, Any], tool: str
) -> None:
    assert owner(found("meshward", **metadata), *FIELD) == tool
