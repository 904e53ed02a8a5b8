"""Key Vault as a certificate authority, asked of the simulated vault by the real SDK clients."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from local.cloud.key_vault.vault import Vault
from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from local.scenario import KEY_VAULT, OLD_ROOT, seed_trust
from shared.adapters.azure.key_vault import KeyVault
from shared.adapters.azure.keys import new_key
from shared.domain.errors import TemporaryError
from shared.domain.trust.certificates import pem, root_certificate
from shared.domain.trust.linkerd.certificates import issuer_certificate, issuer_expiry
from shared.domain.trust.new_root import RootStep, draft, next_step, root_version
from shared.domain.trust.roots import current_roots, rotation_of
from tests.worlds import sdk
from tests.worlds.settings import settings

NAME = "linkerd-root-prod-contoso-example-702c5961d5b82e49-g0002"
SECONDS = timedelta(seconds=30)


@pytest.fixture
async def vault(world: World) -> Vault:
    seed_trust(world, 0)
    return world.key_vaults.vaults[KEY_VAULT]


@pytest.fixture
async def keys(world: World, vault: Vault) -> KeyVault:
    here = replace(settings(world), key_vault_url=f"{world.wire.url}/vaults/{KEY_VAULT}", verify_key_vault_domain=False)
    return KeyVault(here, **sdk.aio(world, world.entra.add("rotator")))


async def act(keys: KeyVault, world: World) -> RootStep:
    """One step on the way to a new root."""
    versions = await keys.versions(NAME)
    act = next_step(versions, await keys.latest_request(NAME))
    rotation = rotation_of(OLD_ROOT, await keys.certificates())
    match act:
        case RootStep.CREATE_KEY | RootStep.REQUEST:
            first = act is RootStep.CREATE_KEY
            await keys.request_version(NAME, issuer="Self" if first else "Unknown", new_key=first, hardware=False)
        case RootStep.MERGE:
            _, old = await keys.latest(OLD_ROOT)
            key = await keys.requested_key(NAME)
            root = await keys.sign(
                root_certificate(rotation, key, old, world.clock.now()), key, NAME, draft(versions).id
            )
            await keys.merge(NAME, root, {"meshward:generation": "2"})
        case RootStep.DISABLE_DRAFT:
            await keys.disable(NAME, draft(versions).id)
    await world.clock.advance(SECONDS)
    return act


async def made(keys: KeyVault, world: World) -> list[RootStep]:
    """All steps to a new root; what others did meanwhile or what went wrong is looked at again."""
    acts: list[RootStep] = []
    while not acts or acts[-1] is not RootStep.DONE:
        assert len(acts) < 40
        try:
            acts.append(await act(keys, world))
        except TemporaryError:
            await world.clock.advance(SECONDS)
    return acts


async def test_the_vaults_roots_are_found_by_their_tags(keys: KeyVault) -> None:
    (root,) = current_roots(await keys.certificates())
    assert (root.certificate, root.generation, root.enabled) == (OLD_ROOT, 1, True)


@pytest.mark.parametrize(("kind", "hardware"), [("EC", False), ("EC-HSM", True), ("RSA-HSM", True)])
async def test_a_new_root_is_kept_like_the_old_one(keys: KeyVault, vault: Vault, kind: str, hardware: bool) -> None:
    vault.certificate(OLD_ROOT).policy["key_props"]["kty"] = kind
    assert await keys.hardware_protected(OLD_ROOT) is hardware


async def test_a_root_is_made_with_a_key_that_never_leaves_the_vault(
    keys: KeyVault, world: World, vault: Vault
) -> None:
    assert await made(keys, world) == [
        RootStep.CREATE_KEY,
        RootStep.REQUEST,
        RootStep.MERGE,
        RootStep.DISABLE_DRAFT,
        RootStep.DONE,
    ]
    versions = await keys.versions(NAME)
    root = await keys.certificate(NAME, root_version(versions).id)
    root.verify_directly_issued_by(root)
    assert vault.certificate(NAME).policy["key_props"]["exportable"] is False
    assert [v.enabled for v in sorted(versions, key=lambda v: v.created)] == [False, True]
    assert root.not_valid_after_utc - root.not_valid_before_utc == timedelta(days=365)


async def test_a_made_root_signs_issuers(keys: KeyVault, world: World) -> None:
    await made(keys, world)
    version, root = await keys.latest(NAME)
    now, (key, private) = world.clock.now(), new_key()
    issuer = await keys.sign(
        issuer_certificate("prod.contoso.example", key, root, now, timedelta(hours=48)), key, NAME, version
    )
    assert issuer_expiry(pem(issuer), root, now) == issuer.not_valid_after_utc
    assert private.startswith("-----BEGIN PRIVATE KEY-----")


async def test_asking_twice_for_the_same_version_is_a_conflict_to_look_at_again(keys: KeyVault) -> None:
    await keys.request_version(NAME, issuer="Self", new_key=True, hardware=False)
    with pytest.raises(TemporaryError, match="Conflict"):
        await keys.request_version(NAME, issuer="Self", new_key=True, hardware=False)


async def test_what_is_not_there_is_nothing(keys: KeyVault) -> None:
    assert await keys.versions("missing") == []
    assert await keys.latest_request("missing") is None


_THROTTLED = Reply(status=429, headers={"Retry-After": "7"}, body={"error": {"code": "Throttled", "message": "slow"}})


@pytest.mark.parametrize(
    "fault",
    [
        InjectedFault(on="POST .*/create", kind="lose", times=2),
        InjectedFault(on="POST .*/create", kind="double", times=2),
        InjectedFault(on="POST .*/merge", kind="lose"),
        InjectedFault(on="POST .*/merge", kind="double"),
        InjectedFault(on="POST .*/sign", kind="answer", times=2),
        InjectedFault(on="PATCH ", kind="after"),
        InjectedFault(on="GET ", kind="answer", times=5, reply=_THROTTLED),
    ],
    ids=["creation lost", "creation doubled", "merge lost", "merge doubled", "not signed", "denied", "throttled"],
)
async def test_one_root_is_made_whatever_happens_on_the_way(
    keys: KeyVault, world: World, vault: Vault, fault: InjectedFault
) -> None:
    world.wire.inject(fault)
    await made(keys, world)
    assert fault.times == 0
    assert [bool(v.tags) for v in vault.certificate(NAME).versions] == [False, True]


async def test_the_services_wish_to_wait_is_passed_on(keys: KeyVault, world: World) -> None:
    world.wire.inject(InjectedFault(on="GET ", kind="answer", reply=_THROTTLED))
    with pytest.raises(TemporaryError) as caught:
        await keys.certificates()
    assert caught.value.retry_after == 7


async def test_no_private_key_crosses_the_wire(keys: KeyVault, world: World) -> None:
    await made(keys, world)
    sent: list[Any] = [exchange.request + str(exchange.body).encode() for exchange in world.wire.exchanges]
    assert sent
    assert not [text for text in sent if b"PRIVATE KEY" in text]
