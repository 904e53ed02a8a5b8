"""What verifications keep in the ledger, as its list says."""

import re

from functions.restores import documents
from shared.domain.restores import history, manifest
from shared.domain.restores.sending import reads_folder, sends_folder
from tests.worlds.times import NOW


def test_the_list_of_documents_names_the_folders_that_are_used() -> None:
    listed = re.findall(r"^([a-z]+)/", documents.__doc__ or "", re.MULTILINE)
    used = [manifest.folder("item"), sends_folder("verification"), reads_folder("subscription", NOW), history.FOLDER]
    assert {path.partition("/")[0] for path in used} < set(listed)
