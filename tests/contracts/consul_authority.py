"""What Meshward relies on at a datacenter's authority: roots, configurations and leaves, in primary and secondary."""

import asyncio
from datetime import timedelta

import pytest

from shared.adapters.meshes.consul.errors import CaBusy, CannotSign, ConsulForbidden, CsrLimit, NoLeader
from shared.adapters.meshes.consul.session import ConsulSession
from shared.domain.errors import PermanentError
from shared.domain.trust.certificates import certificates_in
from shared.domain.trust.consul.ca_configuration import CaConfiguration
from shared.domain.trust.consul.facts import ConsulLeaf, ConsulRoots
from tests.worlds.consul import PRIMARY, SECONDARY, ConsulUnderTest, canary, good, lifetime


class AuthorityContract:
    async def test_a_completed_configuration_is_read_back_and_the_same_again_changes_nothing(
        self, consul: ConsulUnderTest
    ) -> None:
        async with consul.session() as session:
            wanted = (await session.authority.configuration()).completed()
            first, again = [await session.authority.write_configuration(wanted) for _ in range(2)]
        assert first.values == again.values == wanted.values
        assert first.modify_index == again.modify_index
        assert {"LeafCertTTL", "IntermediateCertTTL", "RootCertTTL"} <= set(first.values)

    async def test_a_lifetime_changes_without_a_new_root(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            before, found = await session.authority.roots(), await consul.sane(session)
            hours = "24h" if found.leaf_ttl != timedelta(hours=24) else "48h"
            values = {**found.values, "LeafCertTTL": hours}
            written = await session.authority.write_configuration(CaConfiguration(provider="consul", values=values))
            assert written.values["LeafCertTTL"] == hours
            assert (await session.authority.roots()).active_id == before.active_id
            leaf = await session.authority.leaf(canary())
        assert lifetime(leaf) == written.leaf_ttl

    async def test_a_new_key_makes_a_new_root_that_the_old_one_has_signed(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            old = await consul.rotate(session)
            roots = await session.authority.roots()
            new, leaf = roots.active, await session.authority.leaf(canary())
        assert new
        (listed,) = [root for root in roots.roots if root.id == old.id]
        assert (listed.active, listed.certificate) == (False, old.certificate)
        assert roots.active_id == new.id != old.id
        (crossed,) = certificates_in(new.intermediates[0])
        assert crossed.not_valid_after_utc - crossed.not_valid_before_utc == timedelta(days=7)
        assert good(leaf, new, consul.now())
        assert good(leaf, old, consul.now())

    async def test_the_secondary_signs_under_the_new_root_with_a_key_of_its_own(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            old = await consul.rotate(session)
            new = (await session.authority.roots(SECONDARY)).active
            assert new
            leaf = await consul.leaf_elsewhere()
        *_, own = certificates_in(new.intermediates[-1])
        assert len(new.intermediates) == 2
        assert own.subject.rfc4514_string() == ""
        assert f"/dc/{SECONDARY}/" in leaf.spiffe_id
        assert good(leaf, new, consul.now())
        assert good(leaf, old, consul.now())

    async def test_a_leaf_is_of_the_datacenter_whose_servers_are_asked(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            name, domain = canary(), (await session.authority.roots()).trust_domain
            leaf = await session.authority.leaf(name)
        assert leaf.spiffe_id == f"spiffe://{domain}/ns/default/dc/{PRIMARY}/svc/{name}"
        (first, *_) = certificates_in(leaf.chain)
        assert int(leaf.serial.replace(":", ""), 16) == first.serial_number

    async def test_a_leaf_of_somebody_elses_service_is_refused(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            with pytest.raises(ConsulForbidden, match="service:write"):
                await session.authority.leaf("somebody-elses")

    async def test_whoever_waits_for_newer_roots_gets_them_when_they_come(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session, asyncio.TaskGroup() as group:
            before = await session.authority.roots()
            newer = group.create_task(self._newer_roots(session, before))
            await session.authority.write_configuration((await session.authority.configuration()).with_new_key())
            found = await newer
        assert found.active_id != before.active_id
        assert found.index > before.index

    async def test_whoever_waits_for_a_newer_leaf_gets_it_within_half_a_minute(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session, asyncio.TaskGroup() as group:
            first = await session.authority.leaf(canary())
            newer = group.create_task(self._newer_leaf(session, first))
            await asyncio.sleep(0.05)
            await session.authority.write_configuration((await session.authority.configuration()).with_new_key())
            written = consul.now()
            while not newer.done():
                await consul.wait()
            root = (await session.authority.roots()).active
            signed = certificates_in(newer.result().chain)[0].not_valid_before_utc + timedelta(minutes=1)
        assert root
        assert good(newer.result(), root, signed)
        assert signed - written <= timedelta(seconds=32)

    @staticmethod
    async def _newer_roots(session: ConsulSession, before: ConsulRoots) -> ConsulRoots:
        """Consul may answer before there is something newer: then it is asked again."""
        found = before
        while found.index == before.index:
            found = await session.authority.roots(index=before.index, wait=timedelta(seconds=20))
        return found

    @staticmethod
    async def _newer_leaf(session: ConsulSession, before: ConsulLeaf) -> ConsulLeaf:
        found = before
        while found.index == before.index:
            found = await session.authority.leaf(before.service, index=before.index, wait=timedelta(seconds=40))
        return found

    async def test_whoever_waits_in_vain_gets_the_same_roots(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            before = await session.authority.roots()
            again = await session.authority.roots(index=before.index, wait=timedelta(seconds=1))
        assert again == before

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ({"LeafCertTTL": "30m"}, "leaf cert TTL"),
            ({"IntermediateCertTTL": "2h", "LeafCertTTL": "1h"}, "Intermediate Cert TTL"),
            ({"RootCertTTL": "1h"}, "root cert TTL"),
            ({"PrivateKeyType": "rsa", "PrivateKeyBits": 1024}, "RSA key length"),
            ({"PrivateKeyType": "ed25519"}, "private key type"),
            ({"RootCert": "-----BEGIN CERTIFICATE-----"}, "private key"),
        ],
    )
    async def test_a_configuration_that_consul_will_not_have_changes_nothing(
        self, consul: ConsulUnderTest, value: dict[str, object], words: str
    ) -> None:
        async with consul.session() as session:
            before, found = await session.authority.roots(), await consul.sane(session)
            wanted = CaConfiguration(provider="consul", values={**found.values, **value})
            with pytest.raises(PermanentError) as refused:
                await session.authority.write_configuration(wanted)
            assert (await session.authority.configuration()).values != wanted.values
            assert (await session.authority.roots()).active_id == before.active_id
        assert refused.value.reason == "CaConfigurationRefused"
        assert words in refused.value.message

    async def test_a_provider_that_does_not_exist_is_refused(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            with pytest.raises(PermanentError, match="unknown CA provider"):
                await session.authority.write_configuration(CaConfiguration(provider="nope", values={}))

    async def test_a_key_that_cannot_be_read_is_not_repeated(self, consul: ConsulUnderTest) -> None:
        key = f"-----BEGIN EC PRIVATE KEY-----\n{'c2VjcmV0' * 8}\n-----END EC PRIVATE KEY-----\n"
        async with consul.session() as session:
            found = await consul.sane(session)
            wanted = CaConfiguration(provider="consul", values={**found.values, "PrivateKey": key})
            with pytest.raises(PermanentError) as refused:
                await session.authority.write_configuration(wanted)
        assert "c2VjcmV0" not in f"{refused.value} {wanted}"
        assert "PRIVATE" not in refused.value.message

    async def test_of_writes_at_once_one_is_made_and_others_wait_or_find_it(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            before = await session.authority.roots()
            wanted = (await session.authority.configuration()).with_new_key()
            writes = [session.authority.write_configuration(wanted) for _ in range(3)]
            ended = await asyncio.gather(*writes, return_exceptions=True)
            after = await session.authority.roots()
        assert {type(one) for one in ended} <= {CaConfiguration, CaBusy}
        assert any(isinstance(one, CaConfiguration) for one in ended)
        assert len({r.id for r in after.roots} - {r.id for r in before.roots}) == 1

    async def test_each_datacenter_has_a_configuration_of_its_own(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            first, found = await consul.sane(session), (await session.authority.configuration(SECONDARY)).completed()
            hours = "30h" if found.values["LeafCertTTL"] != "30h" else "36h"
            wanted = CaConfiguration(provider="consul", values={**found.values, "LeafCertTTL": hours})
            written = await session.authority.write_configuration(wanted, SECONDARY)
            assert (await consul.sane(session)).values == first.values
        assert written.values["LeafCertTTL"] == hours

    async def test_a_new_key_in_the_secondary_makes_an_intermediate_and_no_root(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            await consul.until(lambda: consul.follows(session))
            before = (await session.authority.roots(SECONDARY)).active
            found = await session.authority.configuration(SECONDARY)
            await session.authority.write_configuration(found.with_new_key(), SECONDARY)
            after = (await session.authority.roots(SECONDARY)).active
        assert before
        assert after
        assert before.id == after.id
        assert before.signing_key_id != after.signing_key_id

    async def test_a_secondary_that_gets_no_intermediate_lists_the_root_and_cannot_sign(
        self, consul: ConsulUnderTest
    ) -> None:
        async with consul.session() as session:
            await consul.replicate_without("operator")
            try:
                roots = await session.authority.roots()
                await session.authority.write_configuration((await session.authority.configuration()).with_new_key())
                await consul.until(lambda: consul.lists_another(session, roots.active_id))
                first, second = [(await session.authority.roots(dc)).active for dc in (PRIMARY, SECONDARY)]
                assert first
                assert second
                assert (first.id, first.signing_key_id) == (second.id, second.signing_key_id)
                assert not await consul.follows(session)
                with pytest.raises(CannotSign):
                    await consul.leaf_elsewhere()
            finally:
                await consul.replicate_without("")
            found = await session.authority.configuration(SECONDARY)
            await session.authority.write_configuration(found.with_new_key(), SECONDARY)
            await consul.until(lambda: consul.follows(session))
            assert f"/dc/{SECONDARY}/" in (await consul.leaf_elsewhere()).spiffe_id

    async def test_more_leaves_than_a_datacenter_signs_are_refused_for_a_while(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            found = await consul.sane(session)
            slow = CaConfiguration(provider="consul", values={**found.values, "CSRMaxPerSecond": 1})
            await session.authority.write_configuration(slow)
            try:
                asked = [session.authority.leaf(canary()) for _ in range(12)]
                ended = await asyncio.gather(*asked, return_exceptions=True)
            finally:
                await session.authority.write_configuration(found)
        assert sum(isinstance(one, CsrLimit) for one in ended) >= 9
        assert any(not isinstance(one, BaseException) for one in ended)

    async def test_a_datacenter_that_nobody_knows_is_named(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            with pytest.raises(NoLeader, match="dc9: 500 No path to datacenter"):
                await session.authority.roots("dc9")
