"""The place that a cluster's backup is restored to."""

import pytest

from shared.domain.errors import PermanentError
from shared.domain.restores.isolation import (
    RESTORED,
    isolated_namespace,
    isolating_policy,
    require_closed,
    require_enforcing,
    require_no_free_volume,
)

ENFORCE = "pod-security.kubernetes.io/enforce"


def test_an_isolated_namespace_keeps_to_baseline_whatever_its_source_does() -> None:
    hostile = {"name": "a", "labels": {ENFORCE: "privileged", "linkerd.io/is-control-plane": "true"}}
    metadata = isolated_namespace({"metadata": hostile}, "verify-a", "job", cni=False)["metadata"]
    assert metadata["labels"] == {ENFORCE: "baseline", "meshward.io/verifies": "job"}


@pytest.mark.parametrize("word", ["enabled", "ingress", "disabled", "other"])
def test_only_where_the_injector_needs_more_and_no_cni_plugin_is_there_more_is_admitted(word: str) -> None:
    source = {"metadata": {"name": "a", "annotations": {"linkerd.io/inject": word}}}
    levels = {cni: isolated_namespace(source, "verify-a", "job", cni=cni)["metadata"] for cni in (True, False)}
    assert levels[True]["labels"][ENFORCE] == "baseline"
    needs = word in ("enabled", "ingress")
    assert levels[False]["labels"][ENFORCE] == ("privileged" if needs else "baseline")


def test_of_a_namespace_s_annotations_injection_and_its_ports_are_kept_and_no_image_of_a_proxy() -> None:
    kept = {"linkerd.io/inject": "enabled", "config.linkerd.io/opaque-ports": "3306"}
    source = {"metadata": {"name": "a", "annotations": {**kept, "config.linkerd.io/proxy-image": "evil/proxy"}}}
    assert isolated_namespace(source, "verify-a", "job", cni=True)["metadata"]["annotations"] == kept


def test_nothing_is_restored_that_grants_a_right_opens_a_door_or_has_a_controller_elsewhere() -> None:
    kinds = {name.partition(".")[0] for name in RESTORED}
    assert kinds & {"roles", "rolebindings", "services", "ingresses", "pods", "jobs", "cronjobs", "httproutes"} == set()
    assert {name.partition(".")[2] for name in RESTORED} == {"", "apps", "snapshot.storage.k8s.io"}


def test_a_cluster_without_an_engine_for_network_policies_gets_no_copy() -> None:
    for engine in ("azure", "calico", "Cilium"):
        require_enforcing("aks", engine)
    for none in ("", "none", "unknown"):
        with pytest.raises(PermanentError, match="NotEnforced"):
            require_enforcing("aks", none)


def test_a_second_network_policy_opens_a_namespace_and_ends_the_verification() -> None:
    own = isolating_policy("verify-a")
    require_closed("verify-a", [own])
    with pytest.raises(PermanentError, match="NotIsolated: somebody has opened namespace verify-a: allow-all"):
        require_closed("verify-a", [own, {"metadata": {"name": "allow-all"}}])


def test_a_free_volume_that_a_restored_claim_could_bind_ends_the_verification() -> None:
    bound, free = ({"metadata": {"name": phase}, "status": {"phase": phase}} for phase in ("Bound", "Available"))
    require_no_free_volume([bound])
    with pytest.raises(PermanentError, match="that are free: Available"):
        require_no_free_volume([bound, free])


def test_nothing_isolated_reaches_further_than_itself_dns_and_the_mesh() -> None:
    spec = isolating_policy("verify-a")["spec"]
    reached = [peer for rule in spec["egress"] for peer in rule["to"]]
    names = [peer["namespaceSelector"]["matchLabels"].popitem()[1] for peer in reached if "namespaceSelector" in peer]
    assert (names, "Egress" in spec["policyTypes"]) == (["linkerd", "kube-system"], True)
    assert [peer for peer in reached if "namespaceSelector" not in peer] == [{"podSelector": {}}]
