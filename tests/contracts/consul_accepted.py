"""What Consul takes without a word, and what follows: why Meshward judges a configuration before it writes it."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from local.cloud.key_vault.x509 import issue
from shared.adapters.meshes.consul.errors import CannotSign
from shared.domain.errors import PermanentError
from shared.domain.trust.consul.facts import ConsulLeaf, ConsulRoot
from tests.worlds.consul import ConsulUnderTest, canary, good, lifetime

LIFETIMES = {"LeafCertTTL": "72h", "IntermediateCertTTL": "8760h", "RootCertTTL": "87600h"}


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


class AcceptedContract:
    @pytest.fixture
    async def mending(self, consul: ConsulUnderTest) -> AsyncIterator[ConsulUnderTest]:
        """Datacenters that get a sound authority again after the test."""
        async with consul.put_back():
            yield consul

    async def test_a_key_that_is_not_the_certificates_is_taken_and_signs_nothing(
        self, mending: ConsulUnderTest
    ) -> None:
        key, certificate = self.supplied(mending)
        other = ec.generate_private_key(ec.SECP256R1())
        answer = await mending.configure(**LIFETIMES, PrivateKey=_key_pem(other), RootCert=_pem(certificate))
        assert (answer.status_code, key != other) == (200, True)
        async with mending.session() as session:
            with pytest.raises(CannotSign):
                await session.authority.leaf(canary())
            with pytest.raises(CannotSign):  # nor does the root cross-sign the next one
                await session.authority.write_configuration((await session.authority.configuration()).with_new_key())

    async def test_what_is_no_authority_is_taken_and_nobody_takes_its_leaves(self, mending: ConsulUnderTest) -> None:
        leaf, root = await self._leaf_of(mending, path_length=None)
        assert not good(leaf, root, mending.now())

    async def test_a_root_that_allows_no_authority_below_it_is_taken_and_fails_after_the_next_one(
        self, mending: ConsulUnderTest
    ) -> None:
        leaf, root = await self._leaf_of(mending, path_length=0)
        assert good(leaf, root, mending.now())
        async with mending.session() as session:
            await session.authority.write_configuration((await session.authority.configuration()).with_new_key())
            new, leaf = (await session.authority.roots()).active, await session.authority.leaf(canary())
        assert new
        assert good(leaf, new, mending.now())
        assert not good(leaf, root, mending.now())

    async def test_a_root_that_a_key_of_another_kind_has_signed_is_taken_and_signs_no_other(
        self, mending: ConsulUnderTest
    ) -> None:
        leaf, root = await self._leaf_of(mending, by=rsa.generate_private_key(public_exponent=65537, key_size=2048))
        assert good(leaf, root, mending.now())
        async with mending.session() as session:
            with pytest.raises(PermanentError, match="SignatureAlgorithm") as refused:
                await session.authority.write_configuration((await session.authority.configuration()).with_new_key())
        assert refused.value.reason == "CaConfigurationRefused"

    async def _leaf_of(
        self, consul: ConsulUnderTest, path_length: int | None = 2, by: rsa.RSAPrivateKey | None = None
    ) -> tuple[ConsulLeaf, ConsulRoot]:
        """A leaf under a root that somebody has supplied, and the root."""
        key, certificate = self.supplied(consul, path_length=path_length, by=by)
        answer = await consul.configure(**LIFETIMES, PrivateKey=_key_pem(key), RootCert=_pem(certificate))
        assert answer.status_code == 200
        async with consul.session() as session:
            leaf, root = await session.authority.leaf(canary()), (await session.authority.roots()).active
        assert root
        return leaf, root

    async def test_an_expired_root_is_taken_and_signs_nothing(self, mending: ConsulUnderTest) -> None:
        key, certificate = self.supplied(mending, ends=timedelta(minutes=-1))
        answer = await mending.configure(**LIFETIMES, PrivateKey=_key_pem(key), RootCert=_pem(certificate))
        assert answer.status_code == 200
        async with mending.session() as session:
            with pytest.raises(CannotSign, match="root expired"):
                await session.authority.leaf(canary())

    async def test_the_key_of_a_supplied_root_is_shown_to_who_reads_the_configuration(
        self, mending: ConsulUnderTest
    ) -> None:
        key, certificate = self.supplied(mending)
        await mending.configure(**LIFETIMES, PrivateKey=_key_pem(key), RootCert=_pem(certificate))
        async with mending.session() as session:
            found, leaf = await session.authority.configuration(), await session.authority.leaf(canary())
            root = (await session.authority.roots()).active
        assert found.holds_key
        assert "PRIVATE KEY" in str(found.values["PrivateKey"])
        assert "PRIVATE KEY" not in repr(found)
        assert root
        assert root.certificate == _pem(certificate)
        assert good(leaf, root, mending.now())
        assert not found.with_new_key().holds_key

    async def test_a_configuration_without_lifetimes_is_taken_and_leaves_live_as_before(
        self, mending: ConsulUnderTest
    ) -> None:
        answer = await mending.configure(LeafCertTtl_="1h")  # a typo is silent
        assert answer.status_code == 200
        async with mending.session() as session:
            found, leaf = await session.authority.configuration(), await session.authority.leaf(canary())
        assert (found.leaf_ttl, found.values) == (None, {"LeafCertTtl_": "1h"})
        assert lifetime(leaf) == timedelta(hours=72)
        assert found.completed().leaf_ttl == timedelta(hours=72)

    async def test_a_wish_for_no_cross_signing_stays_until_something_else_is_written(
        self, mending: ConsulUnderTest
    ) -> None:
        await mending.force({**LIFETIMES, "PrivateKeyBits": 521})
        async with mending.session() as session:
            found = await session.authority.configuration()
            assert found.without_cross_signing
            again = await session.authority.write_configuration(found.completed())
            assert again.without_cross_signing
            written = await session.authority.write_configuration(found.with_new_key())
            new = (await session.authority.roots()).active
        assert not written.without_cross_signing
        assert new
        assert len(new.intermediates) == 1

    async def test_a_leaf_that_is_kept_is_given_to_anybody(self, mending: ConsulUnderTest) -> None:
        name = canary()
        async with mending.session() as session:
            leaf = await session.authority.leaf(name)
        other = mending.other["dc1"]
        answer = await other.get(f"v1/agent/connect/ca/leaf/{name}", headers={"X-Consul-Token": ""})
        assert answer.json()["SerialNumber"] == leaf.serial
        assert "PRIVATE KEY" in answer.json()["PrivateKeyPEM"]

    @staticmethod
    def supplied(
        consul: ConsulUnderTest,
        ends: timedelta = timedelta(days=3650),
        path_length: int | None = 2,
        by: rsa.RSAPrivateKey | None = None,
    ) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        """A root of somebody's own."""
        key, now = ec.generate_private_key(ec.SECP256R1()), consul.now()
        name, validity = f"CN=supplied-{canary()}", (now - timedelta(days=1), now + ends)
        return key, issue(
            name,
            key.public_key(),
            issuer=name if by is None else "CN=above",
            signer=by or key,
            validity=validity,
            path_length=path_length,
        )
