"""All that the store keeps: every kind of document has a place of its own."""

import re

from local.tables import stored
from shared.domain.restores.lease import LEASE
from shared.domain.restores.manifest import MANIFEST


def test_no_two_kinds_of_documents_share_a_path() -> None:
    forms = {each.pattern: re.compile(re.sub(r"{\w+}", "[^/]+", each.pattern)) for each in stored()}
    assert len(forms) == len(stored()) > 15
    paths = {pattern: re.sub(r"[{}]", "", pattern) for pattern in forms}
    assert [(a, b) for a, form in forms.items() for b, path in paths.items() if a != b and form.fullmatch(path)] == []


def test_a_document_stands_in_the_folder_of_its_first_parts() -> None:
    assert (LEASE.folder(), LEASE.folder(day="2026-01-01")) == ("leases/", "leases/2026-01-01/")
    path = MANIFEST.path(item="i", when="w", verification="v")
    assert (path, MANIFEST.folder(item="i")) == ("manifests/i/w-v.json", "manifests/i/")
