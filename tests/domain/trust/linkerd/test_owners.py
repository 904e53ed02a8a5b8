"""Whose the bundle and the issuer are, and whether they are as we left them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.errors import PermanentError
from shared.domain.trust.linkerd.facts import Bundle, IssuerSecret
from shared.domain.trust.linkerd.owners import digest, require_no_other_owner, require_unchanged

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)


def bundle(pem: str = "ours", **facts: Any) -> Bundle:
    return Bundle(**{"pem": pem, "written_at": NOW, "written_sha256": digest("ours"), "owner": "", **facts})


def issuer(certificate: str = "ours", **facts: Any) -> IssuerSecret:
    marks = {"written_at": NOW, "written_sha256": digest("ours"), "bundle_sha256": digest("bundle"), "owner": ""}
    seen = {"bundle": "bundle", "resource_version": "1", "holds_key": True, **marks, **facts}
    return IssuerSecret(certificate=certificate, **seen)


def test_what_is_as_it_was_written_is_ours() -> None:
    for found in (bundle(), issuer()):
        require_no_other_owner("aks-east", found)
        require_unchanged("aks-east", found)
    require_unchanged("aks-east", bundle(), issuer())


@pytest.mark.parametrize(
    ("owner", "advice"),
    [
        ("Helm", "identity.externalCA=true"),
        ("cert-manager", "delete its Certificate but keep the Secret"),
        ("trust-manager", "--cascade=orphan"),
        ("Argo CD", "Prune=false"),
        ("Flux", "prune: disabled"),
        ("terraform", "managedFields"),
    ],
)
def test_what_another_tool_writes_is_refused_by_its_name_with_what_to_do(owner: str, advice: str) -> None:
    for found, what in ((bundle(owner=owner), "bundle"), (issuer(owner=owner), "issuer")):
        with pytest.raises(PermanentError, match=f"OwnedByOther: the {what} of cluster aks-east .* {owner}") as refused:
            require_no_other_owner("aks-east", found)
        assert advice in refused.value.message


@pytest.mark.parametrize(
    ("found", "reason", "object"),
    [
        (bundle("ours\n"), "BundleDrift", "linkerd-identity-trust-roots"),
        (bundle(""), "BundleDrift", "linkerd-identity-trust-roots"),
        (issuer("theirs"), "IssuerDrift", "linkerd-identity-issuer"),
    ],
)
def test_what_somebody_has_changed_since_is_drift_to_the_byte(
    found: Bundle | IssuerSecret, reason: str, object: str
) -> None:
    with pytest.raises(PermanentError, match=f"{reason}: somebody has changed .*{object} of cluster aks-east"):
        require_unchanged("aks-east", found)


def test_what_we_never_wrote_may_be_anything() -> None:
    for found in (
        bundle("theirs", written_sha256="", written_at=None),
        issuer("theirs", written_sha256="", written_at=None),
    ):
        require_unchanged("aks-east", found)
    require_unchanged("aks-east", bundle(written_sha256=""), issuer(bundle_sha256=""))


def test_a_bundle_that_was_replaced_as_a_whole_is_remembered_by_the_issuer() -> None:
    with pytest.raises(PermanentError, match="BundleDrift"):
        require_unchanged("aks-east", bundle("theirs", written_sha256="", written_at=None), issuer())
