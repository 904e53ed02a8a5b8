"""The making of a root in Key Vault, whatever the vault shows."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.errors import PermanentError
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.new_root import (
    CertificateRequest,
    CertificateVersion,
    RootStep,
    draft,
    next_step,
    require_own_root,
    root_version,
)
from shared.domain.trust.roots import Rotation, root_tags

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
DRAFT = CertificateVersion(id="1", enabled=True, created=NOW, tags={})
ROOT = CertificateVersion(id="2", enabled=True, created=NOW + timedelta(minutes=1), tags={"meshward:generation": "2"})
DISABLED = CertificateVersion(id="1", enabled=False, created=NOW, tags={})


def request(issuer: str, status: str) -> CertificateRequest:
    return CertificateRequest(issuer=issuer, status=status, error="")


@pytest.mark.parametrize(
    ("versions", "asked", "act"),
    [
        ([], None, RootStep.CREATE_KEY),
        ([], request("Self", "inProgress"), RootStep.WAIT),
        ([DRAFT], request("Self", "completed"), RootStep.REQUEST),
        ([DRAFT], None, RootStep.REQUEST),
        ([DRAFT], request("Unknown", "inProgress"), RootStep.MERGE),
        ([DRAFT, ROOT], request("Unknown", "completed"), RootStep.DISABLE_DRAFT),
        ([DISABLED, ROOT], request("Unknown", "completed"), RootStep.DONE),
        ([ROOT], None, RootStep.DONE),
    ],
)
def test_every_state_of_the_vault_has_one_next_act(
    versions: list[CertificateVersion], asked: CertificateRequest | None, act: RootStep
) -> None:
    assert next_step(versions, asked) is act
    assert next_step(versions[::-1], asked) is act


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_a_request_that_failed_is_left_to_people(status: str) -> None:
    with pytest.raises(PermanentError, match="RootRequestFailed"):
        next_step([DRAFT], request("Unknown", status))


def test_a_draft_that_somebody_disabled_cannot_sign() -> None:
    with pytest.raises(PermanentError, match="DraftDisabled"):
        draft([DISABLED])


def test_draft_and_root_are_told_apart_by_their_tags() -> None:
    assert draft([ROOT, DRAFT]) is DRAFT
    assert root_version([ROOT, DRAFT]) is ROOT


@pytest.mark.parametrize("tag", ["mesh", "trust-domain", "generation"])
def test_another_root_that_has_the_new_one_s_name_is_not_taken_for_it(tag: str) -> None:
    rotation = Rotation(
        mesh=Mesh.LINKERD, trust_domain="shop.example", old="old", new="linkerd-root-shop-example-g0002", generation=2
    )
    tags = root_tags(rotation)
    ours = CertificateVersion(id="1", enabled=True, created=NOW, tags={**tags, "team": "shop"})
    theirs = CertificateVersion(id="2", enabled=False, created=NOW, tags={**tags, f"meshward:{tag}": "other"})
    require_own_root([DRAFT, ours], rotation)
    with pytest.raises(PermanentError, match="ForeignRoot: certificate linkerd-root-shop-example-g0002"):
        require_own_root([ours, theirs], rotation)
