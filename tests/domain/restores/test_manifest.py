"""What a protected item holds and how a copy differs from it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import PermanentError
from shared.domain.restores.filters import BackupFilter
from shared.domain.restores.items import ClusterItem
from shared.domain.restores.manifest import (
    MOST_ENTRIES,
    SAMPLED_BYTES,
    SAMPLED_FILES,
    Contents,
    ManifestEntry,
    ShareFile,
    canary_times_of,
    compare,
    manifest_of,
    manifest_path,
    of_files,
    of_objects,
    part,
    protected_namespaces,
    sample,
    sampled,
    taken_at,
)
from tests.worlds.facts.plans import a_manifest

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(hours=1), NOW + timedelta(hours=1)


def entry(digest: str = "1", *, made: datetime = EARLIER, changed: datetime = EARLIER) -> ManifestEntry:
    return ManifestEntry(digest=digest, made=made, changed=changed)


def config(data: dict[str, str], namespace: str = "shop", **metadata: Any) -> dict[str, Any]:
    made = {"creationTimestamp": "2027-01-15T07:00:00Z"}
    return {"metadata": {"name": "settings", "namespace": namespace, **made, **metadata}, "data": data}


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}}


def test_a_copy_that_holds_the_same_differs_in_nothing() -> None:
    found = compare(a_manifest(a=entry()), {"a": entry()}, NOW)
    assert (found.compared, found.missing, found.altered, found.extra) == (1, (), (), ())


def test_what_a_copy_lacks_holds_otherwise_or_in_excess_is_named() -> None:
    found = compare(a_manifest(a=entry(), b=entry()), {"b": entry("2"), "c": entry()}, NOW)
    assert (found.missing, found.altered, found.extra) == (("a",), ("b",), ("c",))


def test_what_was_made_or_changed_after_the_backup_does_not_count() -> None:
    found = compare(
        a_manifest(old=entry(), new=entry(made=LATER, changed=LATER), edited=entry(changed=LATER)),
        {"old": entry(), "edited": entry("before the edit")},
        NOW,
    )
    assert (found.missing, found.altered, found.compared) == ((), (), 2)


@pytest.mark.parametrize(
    ("name", "changed", "says"),
    [
        ("ConfigMap shop/leader", LATER, ((), ("ConfigMap shop/leader",))),
        ("ConfigMap shop/leader", EARLIER, (("ConfigMap shop/leader",), ())),
        ("Deployment shop/web", LATER, (("Deployment shop/web",), ())),
    ],
)
def test_a_config_map_that_was_changed_since_it_was_restored_says_nothing_of_what_was_restored(
    name: str, changed: datetime, says: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    manifest = msgspec.structs.replace(a_manifest(), entries={name: entry()})
    found = compare(manifest, {name: entry("2", changed=changed)}, NOW)
    assert (found.altered, found.rewritten) == says


def test_a_manifest_holds_what_the_backup_was_told_to_hold() -> None:
    told = BackupFilter(excluded=("cm",))
    objects = {"ConfigMap": [config({})], "ServiceAccount": [{"metadata": {"name": "web", "namespace": "shop"}}]}
    held = of_objects(objects, {"shop": "shop"}, told)
    assert list(held) == ["ServiceAccount shop/web"]


def test_filters_that_leave_nothing_to_compare_verify_nothing() -> None:
    with pytest.raises(PermanentError, match=r"NothingProtected.*filters"):
        manifest_of(Contents(names=("shop",), entries={}, filtered=True), NOW)
    assert manifest_of(Contents(names=("shop",), entries={}), NOW).total == 0


def test_something_edited_after_the_backup_must_still_be_there() -> None:
    assert compare(a_manifest(a=entry(), edited=entry(changed=LATER)), {"a": entry()}, NOW).missing == ("edited",)


def test_nothing_is_said_about_a_copy_when_everything_is_younger_than_the_backup() -> None:
    with pytest.raises(PermanentError, match="NothingToCompare"):
        compare(a_manifest(a=entry(made=LATER)), {}, NOW)


def test_an_empty_source_equals_an_empty_copy() -> None:
    assert compare(a_manifest(), {}, NOW).compared == 0


def test_a_config_map_is_the_same_in_its_mapped_namespace_and_another_with_other_data() -> None:
    source = of_objects({"ConfigMap": [config({"a": "1"})]}, {"shop": "shop"})
    same = of_objects({"ConfigMap": [config({"a": "1"}, "verify-shop")]}, {"verify-shop": "shop"})
    other = of_objects({"ConfigMap": [config({"a": "2"}, "verify-shop")]}, {"verify-shop": "shop"})
    key = "ConfigMap shop/settings"
    assert source[key].digest == same[key].digest != other[key].digest


def test_writes_count_as_changes_but_status_updates_do_not() -> None:
    writes = [{"time": "2027-01-15T07:30:00Z"}, {"time": "2027-01-15T08:30:00Z", "subresource": "status"}]
    (found,) = of_objects({"ConfigMap": [config({}, managedFields=writes)]}, {"shop": "shop"}).values()
    assert found.changed == NOW - timedelta(minutes=30)


def test_what_controllers_make_again_is_left_out() -> None:
    owned = config({}, ownerReferences=[{"kind": "Deployment"}])
    root = {"metadata": {"name": "kube-root-ca.crt", "namespace": "shop"}}
    assert of_objects({"ConfigMap": [owned, root]}, {"shop": "shop"}) == {}


def test_namespaces_of_the_system_the_mesh_and_our_own_are_never_restored() -> None:
    found = [
        namespace("kube-system"),
        namespace("linkerd", **{"linkerd.io/is-control-plane": "true"}),
        namespace("verify-shop-1", **{"meshward.io/verifies": "x"}),
        namespace("shop"),
        namespace("orders"),
    ]
    assert protected_namespaces(found, (), ()) == ["shop", "orders"]
    assert protected_namespaces(found, ("shop", "linkerd"), ()) == ["shop"]
    assert protected_namespaces(found, (), ("shop",)) == ["orders"]


@given(st.lists(st.builds(ShareFile, path=st.text(min_size=1), size=st.integers(0, 2 * SAMPLED_BYTES)), max_size=200))
def test_a_sample_is_bounded_and_doesn_t_depend_on_the_order_of_files(files: list[ShareFile]) -> None:
    chosen = sample(files)
    assert len(chosen) <= SAMPLED_FILES
    assert chosen == sample(files[::-1])


def test_a_manifest_knows_the_files_that_were_read_by_content() -> None:
    files = [ShareFile(path="a.txt", size=1), ShareFile(path="b.txt", size=2)]
    entries = of_files(files, {"b.txt": "cafe"})
    assert sampled(a_manifest(**entries)) == ["b.txt"]
    assert not entries["b.txt"].is_like(of_files(files, {"b.txt": "beef"})["b.txt"])
    assert not entries["b.txt"].is_like(of_files([ShareFile(path="b.txt", size=3)], {"b.txt": "cafe"})["b.txt"])


@pytest.mark.parametrize(
    ("written", "size", "digest"),
    [(f"2 {'ca' * 32}", 2, "ca" * 32), ("7", 7, ""), ("30 GiB", 30, ""), ("ca" * 32, None, "ca" * 32)],
)
def test_a_manifest_of_the_first_version_is_read_with_sizes_apart_from_digests(
    written: str, size: int | None, digest: str
) -> None:
    read = msgspec.json.decode(json.dumps({"digest": written, "made": None, "changed": None}), type=ManifestEntry)
    assert (read.size, read.digest) == (size, digest)
    assert msgspec.json.decode(msgspec.json.encode(read), type=ManifestEntry) == read


def test_a_manifest_of_very_many_entries_keeps_the_same_ones_each_time_and_says_how_many_there_were() -> None:
    held = Contents(names=("orders",), entries={f"{n}.csv": entry() for n in range(MOST_ENTRIES + 100)})
    backwards = Contents(names=("orders",), entries=dict(reversed(held.entries.items())))
    kept = manifest_of(held, NOW)
    assert (len(kept.entries), kept.total) == (MOST_ENTRIES, MOST_ENTRIES + 100)
    assert manifest_of(backwards, NOW) == kept
    whole = {name: entry() for name in held.entries}
    assert compare(kept, whole, NOW) == compare(kept, kept.entries, NOW)


def test_an_item_without_a_workload_has_no_manifest() -> None:
    with pytest.raises(PermanentError, match="NothingProtected"):
        manifest_of(Contents(names=(), entries={}), NOW)


def test_only_the_restored_namespaces_of_a_manifest_are_compared() -> None:
    whole = a_manifest(**{"ConfigMap shop/a": entry(), "ConfigMap shop-2/a": entry()})
    assert list(part(whole, ClusterItem(id="i", source_id="c"), ["shop"]).entries) == ["ConfigMap shop/a"]


def test_the_path_of_a_manifest_tells_when_it_was_taken() -> None:
    where = manifest_path("/Item", "job", NOW)
    assert (taken_at(where), where) == (NOW, manifest_path("/ITEM", "job", NOW))


def test_a_config_map_tells_the_newest_time_that_it_holds() -> None:
    config_map = config({"at": "2027-01-15T07:59:00Z", "before": "2027-01-14T07:59:00", "color": "blue"})
    assert canary_times_of([config_map], {"shop": "shop"}) == {"ConfigMap shop/settings": NOW - timedelta(minutes=1)}
    assert canary_times_of([config({"color": "blue"})], {"shop": "shop"}) == {}
