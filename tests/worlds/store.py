"""What the app keeps, and where: each kind of document has a container of its own."""

import re
from pathlib import Path

from local.stage import RunningApp
from local.tables import stored
from shared.domain.documents import Mark


def misplaced(stage: RunningApp) -> list[str]:
    """Files of the ledger and of the evidence whose kind belongs to the other, or that are of no kind."""
    return _strangers(stage.store, evidence=False) + _strangers(stage.evidence, evidence=True)


def _strangers(folder: Path, *, evidence: bool) -> list[str]:
    own = [_form(each) for each in stored() if each.evidence is evidence]
    found = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    return [path for path in found if not any(form.fullmatch(path) for form in own)]


def _form(each: Mark) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(each.pattern)))
