"""The ledger over a container of evidence: by a role that may create and read, under an immutability policy.

Rules (Azure Storage's pages on Put Blob and on immutable storage; not seen on Azure):
- Whoever may only create is refused what exists by 403, before any condition of the request is looked at.
- With a role that may write, the policy refuses it by 409.
"""

from typing import Any

import pytest

from local.cloud.arm import error
from local.cloud.wire import CloudRequest, InjectedFault, Reply, Route
from local.cloud.world import World
from shared.adapters.azure.ledger import Ledger
from shared.domain.errors import TemporaryError
from tests.worlds.sdk import AsyncCredential

MISMATCH = error(403, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation.")
IMMUTABLE = error(409, "BlobImmutableDueToPolicy", "This operation is not permitted as the blob is immutable.")


class EvidenceContainer:
    """`refusal` is how it answers who writes what exists, `blobs` are by path."""

    def __init__(self, world: World, refusal: Reply) -> None:
        self._world, self._refusal = world, refusal
        self.blobs: dict[str, bytes] = {}
        blob = "/blobs/account/evidence/{path:path}"
        world.wire.mount([Route("PUT", blob, self._put), Route("GET", blob, self._get)])

    def ledger(self) -> Ledger:
        trust: Any = {"allow_invalid_certificates": True}
        credential = AsyncCredential(self._world, self._world.entra.add("app"))
        endpoint = f"{self._world.wire.url}/blobs/account"
        return Ledger("az://account/evidence", credential, endpoint=endpoint, client_options=trust)

    def _put(self, call: CloudRequest) -> Reply:
        if call.params["path"] in self.blobs:
            return self._refusal
        self.blobs[call.params["path"]] = call.content
        return Reply(status=201, headers={"ETag": '"1"'})

    def _get(self, call: CloudRequest) -> Reply:
        found = self.blobs.get(call.params["path"])
        if found is None:
            return error(404, "BlobNotFound", "The specified blob does not exist.")
        dated = {"ETag": '"1"', "Last-Modified": "Mon, 30 Nov 2026 12:00:00 GMT"}
        return Reply(headers=dated, content=found)


@pytest.fixture(params=[MISMATCH, IMMUTABLE], ids=["role", "policy"])
def container(world: World, request: pytest.FixtureRequest) -> EvidenceContainer:
    return EvidenceContainer(world, request.param)


async def test_a_document_is_created_once_and_what_exists_stays(container: EvidenceContainer) -> None:
    one, two = container.ledger(), container.ledger()
    assert await one.create("verdicts/a.json", b"first")
    assert not await two.create("verdicts/a.json", b"second")
    assert await two.read("verdicts/a.json") == b"first"


async def test_whoever_may_not_create_is_not_told_that_there_is_one(world: World) -> None:
    ledger = EvidenceContainer(world, MISMATCH).ledger()
    world.wire.inject(InjectedFault(on="PUT .*/evidence/", kind="answer", reply=MISMATCH))
    with pytest.raises(TemporaryError, match="LedgerUnavailable: writing verdicts/a"):
        await ledger.create("verdicts/a.json", b"first")
    assert await ledger.create("verdicts/a.json", b"first")


async def test_a_lost_answer_to_a_document_that_was_created_is_no_second_one(world: World) -> None:
    container = EvidenceContainer(world, MISMATCH)
    world.wire.inject(InjectedFault(on="PUT .*/evidence/", kind="lose"))
    with pytest.raises(TemporaryError, match="LedgerUnavailable"):
        await container.ledger().create("verdicts/a.json", b"first")
    assert not await container.ledger().create("verdicts/a.json", b"second")
    assert list(container.blobs.values()) == [b"first"]
