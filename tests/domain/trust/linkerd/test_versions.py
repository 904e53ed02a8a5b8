"""Which releases of Linkerd are rotated, and which are refused."""

import pytest

from shared.domain.errors import PermanentError
from shared.domain.trust.linkerd.versions import require_supported_version


@pytest.mark.parametrize(
    "version",
    [
        "stable-2.14.10",
        "edge-24.2.4",
        "edge-24.8.2",
        "edge-24.11.8",
        "edge-25.4.4",
        "edge-25.10.7",
        "edge-26.6.3",
        "edge-26.8.3",
        "enterprise-2.16.2",
        "2.20.0",
        "2.17",
    ],
)
def test_every_line_from_2_14_to_2_20_is_known_by_any_name_of_its_releases(version: str) -> None:
    require_supported_version("aks-east", version)


@pytest.mark.parametrize(
    "version",
    [
        "stable-2.13.7",
        "edge-24.2.3",
        "edge-23.12.1",
        "edge-26.8.4",
        "edge-27.1.1",
        "enterprise-2.21.0",
        "stable-2.141.0",
        "git-1a2b3c4d",
        "linkerdVersionValue",
        "",
    ],
)
def test_other_releases_are_refused_with_what_to_do(version: str) -> None:
    with pytest.raises(PermanentError) as refused:
        require_supported_version("aks-east", version)
    assert refused.value.reason == "UnsupportedLinkerd"
    for words in ("aks-east", version or "of unknown version", "2.14 to 2.20", "edge-26.8.3", "upgrade"):
        assert words in refused.value.message
