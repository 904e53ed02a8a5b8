"""What the store's paths tell of roots."""

from shared.domain.trust.mesh import Mesh
from shared.domain.trust.records import RootRecord, domain_folder, ended_path, generations_in, key_path, record_path
from tests.worlds.facts.roots import DOMAIN, SEEN


def record(generation: int, domain: str = DOMAIN) -> RootRecord:
    return RootRecord(
        mesh=Mesh.LINKERD,
        trust_domain=domain,
        generation=generation,
        certificate="root",
        fingerprint="ab" * 32,
        origin="made",
        at=SEEN,
    )


def test_generations_come_in_the_order_of_their_numbers_also_beyond_9999() -> None:
    paths = [record_path(record(number)) for number in (10_000, 9_999, 2)]
    assert [(g.number, g.records) for g in generations_in(paths)] == [
        (2, (paths[2],)),
        (9_999, (paths[1],)),
        (10_000, (paths[0],)),
    ]


def test_a_generation_that_has_ended_says_so_and_one_that_is_begun_has_no_row_yet() -> None:
    paths = [
        record_path(record(1)),
        ended_path(Mesh.LINKERD, DOMAIN, 1),
        key_path(Mesh.LINKERD, DOMAIN, 2),
    ]
    assert [(g.number, len(g.records), g.ended) for g in generations_in(paths)] == [(1, 1, True), (2, 0, False)]


def test_trust_domains_that_differ_in_punctuation_have_folders_of_their_own() -> None:
    assert domain_folder(Mesh.LINKERD, "a.b") != domain_folder(Mesh.LINKERD, "a-b")
    assert len(generations_in([record_path(record(1, "a.b")), record_path(record(1, "a-b"))])) == 2
