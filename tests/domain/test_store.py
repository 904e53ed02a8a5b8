"""All that the store keeps: one table, in which every kind of document has a place of its own."""

import re
from importlib import import_module
from pkgutil import walk_packages

import shared.domain
from shared.domain.documents import Mark
from shared.domain.restores.lease import LEASE
from shared.domain.restores.manifest import MANIFEST
from shared.domain.store import STORE


def test_every_document_that_the_domain_declares_is_in_the_table() -> None:
    modules = [import_module(m.name) for m in walk_packages(shared.domain.__path__, "shared.domain.")]
    declared = {id(each) for module in modules for each in vars(module).values() if isinstance(each, Mark)}
    assert declared == {id(each) for each in STORE}


def test_no_two_kinds_of_documents_share_a_path() -> None:
    forms = {each.pattern: re.compile(re.sub(r"{\w+}", "[^/]+", each.pattern)) for each in STORE}
    assert len(forms) == len(STORE) > 15
    paths = {pattern: re.sub(r"[{}]", "", pattern) for pattern in forms}
    assert [(a, b) for a, form in forms.items() for b, path in paths.items() if a != b and form.fullmatch(path)] == []


def test_a_document_stands_in_the_folder_of_its_first_parts() -> None:
    assert (LEASE.folder(), LEASE.folder(day="2026-01-01")) == ("leases/", "leases/2026-01-01/")
    path = MANIFEST.path(item="i", when="w", verification="v")
    assert (path, MANIFEST.folder(item="i")) == ("manifests/i/w-v.json", "manifests/i/")
