"""What Meshward relies on when it logs in: who is let in, what is noted, and that nothing is left."""

import dataclasses
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import trustme

from shared.adapters.kubernetes.errors import Unreachable
from shared.domain.errors import MeshwardError, PermanentError
from tests.worlds.consul import AUDIENCE, METHOD, PRIMARY, SECONDARY, ConsulUnderTest


class LoginsContract:
    async def test_a_login_is_noted_with_its_purpose_and_given_back_at_the_end(self, consul: ConsulUnderTest) -> None:
        async with consul.session():
            (noted,) = await consul.logins()
            assert consul.purpose in noted
        assert await consul.logins() == []

    async def test_a_login_is_given_back_after_a_failure(self, consul: ConsulUnderTest) -> None:
        with pytest.raises(MeshwardError):
            async with consul.session() as session:
                await session.authority.leaf("somebody-elses")
        assert await consul.logins() == []

    @pytest.mark.parametrize(
        ("claims", "words"),
        [
            ({"audience": "https://management.azure.com"}, "aud"),
            ({"iss": "https://somewhere.example"}, "iss"),
            ({"exp": 1_600_000_000}, "expired"),
            ({"idtyp": "user"}, "Permission denied"),
            ({"oid": "00000000-0000-4000-8000-000000000000"}, "Permission denied"),
            ({"tid": "00000000-0000-4000-8000-000000000000"}, "Permission denied"),
        ],
    )
    async def test_a_token_that_is_not_the_rotators_own_is_refused(
        self, consul: ConsulUnderTest, claims: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(PermanentError) as refused:
            async with consul.session(**claims):
                pass
        assert refused.value.reason == "LoginRefused"
        assert words in refused.value.message

    async def test_a_users_token_is_refused(self, consul: ConsulUnderTest) -> None:
        person = consul.world.entra.add("person", kind="user")
        with pytest.raises(PermanentError, match="Permission denied"):
            async with consul.session_at(consul.servers[PRIMARY], principal=person):
                pass

    async def test_a_forged_token_is_refused_and_not_repeated(self, consul: ConsulUnderTest) -> None:
        real = consul.world.entra.token(consul.rotator, AUDIENCE)
        forged = dataclasses.replace(consul, world=_Forger(f"{real[:-8]}AAAAAAAA"))  # type: ignore[arg-type]
        with pytest.raises(PermanentError) as refused:
            async with forged.session():
                pass
        assert refused.value.reason == "LoginRefused"
        assert real[:40] not in refused.value.message

    async def test_an_auth_method_that_does_not_exist_is_named(self, consul: ConsulUnderTest) -> None:
        servers = msgspec.structs.replace(consul.servers[PRIMARY], auth_method="nope")
        with pytest.raises(PermanentError, match="nope"):
            async with consul.session_at(servers):
                pass

    async def test_servers_of_another_authority_get_no_token(self, consul: ConsulUnderTest) -> None:
        authority = trustme.CA().cert_pem.bytes().decode()
        with pytest.raises(Unreachable, match="Certificate"):
            async with consul.session_at(msgspec.structs.replace(consul.servers[PRIMARY], authority=authority)):
                pass

    async def test_methods_are_the_primarys_and_a_login_there_is_good_everywhere(self, consul: ConsulUnderTest) -> None:
        here = msgspec.structs.replace(consul.servers[SECONDARY], primary=SECONDARY)
        with pytest.raises(PermanentError, match="not found"):
            async with consul.session_at(here):
                pass
        async with consul.session(SECONDARY) as session:
            assert await session.acl.auth_method(METHOD) is None
            assert await session.acl.auth_method(METHOD, PRIMARY) is not None
            assert (await session.authority.configuration()).provider == "consul"
        assert await consul.logins() == []

    async def test_the_method_and_its_rules_can_be_read(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            method = await session.acl.auth_method(METHOD)
            rules = await session.acl.binding_rules(METHOD)
            assert await session.acl.auth_method("nope") is None
        assert method
        assert (method.kind, method.token_locality, method.max_token_ttl) == ("jwt", "global", timedelta(minutes=10))
        assert (method.issuer, method.audiences) == (consul.world.entra.issuer, (AUDIENCE,))
        assert method.claims["idtyp"] == "idtyp"
        assert consul.rotator.object_id in "".join(rule.selector for rule in rules)
        assert {rule.bind_type for rule in rules} == {"policy"}


class _Forger:
    """An Entra whose signatures don't hold."""

    def __init__(self, token: str) -> None:
        self.entra, self._token = self, token

    def token(self, *_: object, **__: object) -> str:
        return self._token
