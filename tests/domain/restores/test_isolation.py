"""The place that a cluster's backup is restored to."""

from shared.domain.restores.isolation import isolated_namespace, isolating_policy

INJECTED = {"name": "verify-shop", "annotations": {"linkerd.io/inject": "enabled"}}


def test_an_isolated_namespace_keeps_injection_and_refuses_privileged_pods_otherwise() -> None:
    meshed = isolated_namespace({"metadata": INJECTED}, "verify-a", "job")["metadata"]
    assert meshed["annotations"] == {"linkerd.io/inject": "enabled"}
    assert meshed["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    plain = isolated_namespace({"metadata": {"name": "a"}}, "verify-a", "job")["metadata"]
    assert plain["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    strict = {"name": "a", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    kept = isolated_namespace({"metadata": strict}, "verify-a", "job")["metadata"]
    assert kept["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_only_a_namespace_whose_pods_get_proxies_admits_what_these_take() -> None:
    levels = {"enabled": "privileged", "ingress": "privileged", "disabled": "baseline", "other": "baseline"}
    for word, level in levels.items():
        source = {"metadata": {"name": "a", "annotations": {"linkerd.io/inject": word}}}
        labels = isolated_namespace(source, "verify-a", "job")["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == level


def test_nothing_isolated_reaches_further_than_itself_dns_and_the_mesh() -> None:
    spec = isolating_policy("verify-a")["spec"]
    reached = [peer for rule in spec["egress"] for peer in rule["to"]]
    names = [peer["namespaceSelector"]["matchLabels"].popitem()[1] for peer in reached if "namespaceSelector" in peer]
    assert (names, "Egress" in spec["policyTypes"]) == (["linkerd", "kube-system"], True)
    assert [peer for peer in reached if "namespaceSelector" not in peer] == [{"podSelector": {}}]
