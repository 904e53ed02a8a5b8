"""The making of a root in Key Vault, whatever the vault shows."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.errors import PermanentError
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.new_root import CertificateRequest, CertificateVersion, RootInTheMaking, RootStep
from shared.domain.trust.records import RootKey
from shared.domain.trust.roots import Rotation, root_tags
from tests.worlds.facts.roots import SEEN

ROTATION = Rotation(mesh=Mesh.LINKERD, trust_domain="shop.example", old="old", new="shop-g0002", generation=2)
OURS, THEIRS, ROOT_PRINT = "0f" * 32, "e0" * 32, "ab" * 32
DRAFT = CertificateVersion(id="1", enabled=True, created=SEEN, tags={}, fingerprint="d1", key=OURS)
ROOT = CertificateVersion(
    id="2",
    enabled=True,
    created=SEEN + timedelta(minutes=1),
    tags=root_tags(ROTATION),
    fingerprint=ROOT_PRINT,
    key=OURS,
)
DISABLED = replace(DRAFT, enabled=False)
IMPORTED = replace(ROOT, id="3", created=SEEN + timedelta(minutes=2), fingerprint="e1", key=THEIRS)
KEY, ASKED = RootKey(certificate="shop-g0002", key=OURS), RootKey(certificate="shop-g0002")


def request(issuer: str, status: str, key: str = OURS) -> CertificateRequest:
    return CertificateRequest(issuer=issuer, status=status, error="", key=key)


def making(
    versions: Sequence[CertificateVersion],
    asked: CertificateRequest | None = None,
    key: RootKey | None = KEY,
    recorded: Sequence[str] = (ROOT_PRINT,),
) -> RootInTheMaking:
    return RootInTheMaking(rotation=ROTATION, vault="kv", recorded=recorded, key=key, versions=versions, request=asked)


@pytest.mark.parametrize(
    ("versions", "asked", "key", "act"),
    [
        ([], None, None, RootStep.CREATE_KEY),
        ([], request("Self", "inProgress"), KEY, RootStep.WAIT),
        ([], request("Self", "inProgress"), ASKED, RootStep.WAIT),
        ([DRAFT], request("Self", "completed"), KEY, RootStep.REQUEST),
        ([DRAFT], None, KEY, RootStep.REQUEST),
        ([DRAFT], request("Unknown", "inProgress"), KEY, RootStep.MERGE),
        ([DRAFT, ROOT], request("Unknown", "completed"), KEY, RootStep.DISABLE_DRAFT),
        ([DISABLED, ROOT], request("Unknown", "completed"), KEY, RootStep.DONE),
        ([ROOT], None, KEY, RootStep.DONE),
        ([], None, KEY, RootStep.CREATE_KEY),
    ],
)
def test_every_state_of_the_vault_has_one_next_act(
    versions: list[CertificateVersion], asked: CertificateRequest | None, key: RootKey | None, act: RootStep
) -> None:
    assert making(versions, asked, key).next_step is act
    assert making(versions[::-1], asked, key).next_step is act


@pytest.mark.parametrize(("versions", "key"), [([DRAFT], ASKED), ([IMPORTED], ASKED), ([DRAFT, IMPORTED], KEY)])
def test_a_key_that_key_vault_did_not_answer_us_with_is_never_signed_for_and_another_one_is_asked_for(
    versions: list[CertificateVersion], key: RootKey
) -> None:
    assert making(versions, request("Self", "completed"), key).next_step is RootStep.CREATE_KEY


@pytest.mark.parametrize(("versions", "asked"), [([IMPORTED], None), ([], request("Unknown", "inProgress", THEIRS))])
def test_what_has_the_new_root_s_name_before_we_have_asked_for_anything_is_refused_with_the_command_that_removes_it(
    versions: list[CertificateVersion], asked: CertificateRequest | None
) -> None:
    with pytest.raises(PermanentError, match=r"ForeignRoot: .*az keyvault certificate delete --vault-name kv"):
        _ = making(versions, asked, None).next_step


@pytest.mark.parametrize("key", [KEY, ASKED])
def test_a_request_that_we_did_not_send_is_refused_with_the_command_that_removes_it(key: RootKey) -> None:
    foreign = making([DRAFT], request("Unknown", "inProgress", THEIRS), key)
    with pytest.raises(PermanentError, match=r"ForeignRoot: .*az keyvault certificate pending delete --vault-name kv"):
        _ = foreign.next_step


def test_a_certificate_with_the_right_tags_and_without_a_row_is_not_the_root() -> None:
    assert making([DRAFT, IMPORTED]).root is None
    assert making([DRAFT, ROOT, IMPORTED]).root is ROOT


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_a_request_that_failed_is_left_to_people(status: str) -> None:
    with pytest.raises(PermanentError, match=r"RootRequestFailed: .*pending delete"):
        _ = making([DRAFT], request("Unknown", status)).next_step


def test_a_draft_that_somebody_disabled_cannot_sign() -> None:
    with pytest.raises(PermanentError, match=r"DraftDisabled: .*--enabled true --version 1"):
        _ = making([DISABLED]).draft


def test_draft_and_root_are_told_apart_by_the_row() -> None:
    assert making([ROOT, DRAFT]).others == [DRAFT]
    assert making([DRAFT]).draft is DRAFT


@pytest.mark.parametrize("tag", ["mesh", "trust-domain", "generation"])
def test_a_root_of_record_whose_tags_are_not_the_rotation_s_is_refused(tag: str) -> None:
    changed = replace(ROOT, tags={**ROOT.tags, f"meshward:{tag}": "other"})
    _ = making([replace(ROOT, tags={**ROOT.tags, "team": "shop"})]).root
    with pytest.raises(PermanentError, match=r"ForeignRoot: certificate shop-g0002 .*set-attributes"):
        _ = making([DRAFT, changed]).root
