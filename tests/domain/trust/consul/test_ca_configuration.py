"""What is written to Consul is whole, and a new root comes of a new key."""

from datetime import timedelta

import pytest

from shared.domain.errors import PermanentError
from shared.domain.trust.consul.ca_configuration import CaConfiguration, duration

LIFETIMES = {"LeafCertTTL": "72h", "IntermediateCertTTL": "8760h", "RootCertTTL": "87600h"}


def configuration(**values: object) -> CaConfiguration:
    return CaConfiguration(provider="consul", values=values)


def test_lifetimes_that_are_missing_are_written_out() -> None:
    assert configuration(LeafCertTTL="24h").completed().values == {**LIFETIMES, "LeafCertTTL": "24h"}
    assert configuration().leaf_ttl is None
    assert configuration().completed().leaf_ttl == timedelta(hours=72)


def test_a_wish_for_no_cross_signing_is_not_repeated() -> None:
    found = CaConfiguration(provider="consul", values={}, without_cross_signing=True)
    assert not found.completed().without_cross_signing
    assert not found.with_new_key().without_cross_signing


@pytest.mark.parametrize(
    ("key", "other"),
    [
        ({}, ("ec", 384)),
        ({"PrivateKeyType": "ec", "PrivateKeyBits": "384"}, ("ec", 256)),
        ({"PrivateKeyBits": 521}, ("ec", 256)),
        ({"PrivateKeyType": "rsa", "PrivateKeyBits": 2048}, ("rsa", 4096)),
        ({"PrivateKeyType": "rsa", "PrivateKeyBits": 4096}, ("rsa", 2048)),
    ],
)
def test_a_new_key_is_another_of_the_same_family(key: dict[str, object], other: tuple[str, int]) -> None:
    assert configuration(**key).with_new_key().key == other


def test_a_new_root_takes_no_supplied_key_and_keeps_the_rest() -> None:
    found = configuration(PrivateKey="secret", RootCert="pem", CSRMaxPerSecond=10, LeafCertTTL="1h")
    assert found.with_new_key().values == {
        **LIFETIMES,
        "LeafCertTTL": "1h",
        "CSRMaxPerSecond": 10,
        "PrivateKeyType": "ec",
        "PrivateKeyBits": 384,
    }


def test_what_it_holds_is_never_shown() -> None:
    assert "secret" not in f"{configuration(PrivateKey='secret')!r} {configuration(Token='secret')}"


def test_when_it_was_written_makes_no_difference() -> None:
    first = CaConfiguration(provider="consul", values=LIFETIMES, modify_index=7, without_cross_signing=True)
    assert first.says_same(configuration(**LIFETIMES))
    assert not first.says_same(configuration(**{**LIFETIMES, "LeafCertTTL": "71h"}))
    assert not first.says_same(CaConfiguration(provider="vault", values=LIFETIMES))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("72h", timedelta(hours=72)),
        ("1h30m", timedelta(minutes=90)),
        ("8760h0m0s", timedelta(days=365)),
        ("1.5h", timedelta(minutes=90)),
        ("250ms", timedelta(milliseconds=250)),
        ("72", None),
        ("h", None),
        ("72h and more", None),
        ("", None),
        ("9" * 400 + "h", None),
    ],
)
def test_a_duration_is_read_as_go_writes_it(text: str, found: timedelta | None) -> None:
    assert duration(text) == found


def test_a_lifetime_that_cannot_be_read_is_named() -> None:
    assert configuration(LeafCertTTL=3_600_000_000_000).leaf_ttl == timedelta(hours=1)
    with pytest.raises(PermanentError, match="LeafCertTTL"):
        _ = configuration(LeafCertTTL="soon").leaf_ttl
