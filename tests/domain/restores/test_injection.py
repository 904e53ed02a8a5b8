"""Who gets a proxy."""

import pytest

from shared.domain.restores.injection import asks_for_proxy, injected_namespaces


@pytest.mark.parametrize(("word", "asks"), [("enabled", True), ("ingress", True), ("disabled", False), ("yes", False)])
def test_a_pod_s_own_word_counts_before_its_namespace_s(word: str, asks: bool) -> None:
    for otherwise in (True, False):
        assert asks_for_proxy({"annotations": {"linkerd.io/inject": word}}, default=otherwise) is asks
        assert asks_for_proxy({"annotations": None}, default=otherwise) is otherwise


def test_a_namespace_asks_for_its_pods_or_doesn_t() -> None:
    asking = {"metadata": {"name": "edge", "annotations": {"linkerd.io/inject": "ingress"}}}
    assert injected_namespaces([asking, {"metadata": {"name": "shop"}}]) == {"edge"}
