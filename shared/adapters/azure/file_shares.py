"""Azure file shares: what is in them, and scratch shares of our own in a protected share's storage account.

Files are read with the identity's backup intent, which needs a data role and no account key.
"""

import hashlib
import math
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.mgmt.storage import models
from azure.mgmt.storage.aio import StorageManagementClient
from azure.mgmt.storage.aio.operations import FileSharesOperations
from azure.storage.fileshare import DirectoryProperties, FileProperties
from azure.storage.fileshare.aio import ShareClient, ShareServiceClient

from shared.adapters.azure.common import ACCOUNTS, Management, translated, unless_absent
from shared.adapters.azure.outlet import AnswerBounds, through
from shared.adapters.azure.scope import file_share
from shared.domain.errors import PermanentError
from shared.domain.policy import Policy
from shared.domain.resource_id import ACCOUNT_NAME, ResourceId
from shared.domain.restores.items import ShareItem
from shared.domain.restores.lease import Delete
from shared.domain.restores.manifest import Contents, Manifest, ShareFile, of_files, sample, sampled
from shared.domain.restores.verification import RestorePlan, RestoreSource
from shared.domain.restores.workloads import IsolatedCopy
from shared.domain.times import time_in
from shared.settings import Settings

# A whole share is one act. Files are as large as they are: of them, parts are read, and the time is bounded.
_OF_FILES = AnswerBounds(act=math.inf, requests=100_000, visit=480.0)
_MADE_FOR = "meshward_verifies"  # metadata names are C# identifiers: no hyphens


class FileShares(Management):
    """Protected shares and their scratch shares. `options` go to the SDK's clients."""

    def __init__(self, settings: Settings, credential: AsyncTokenCredential, **options: Any) -> None:
        super().__init__(settings, credential, **options)
        self._services: dict[str, ShareServiceClient] = {}

    async def with_target(self, source: RestoreSource, policy: Policy) -> RestoreSource:  # noqa: ARG002  # others need it
        """The source as it is: a scratch share is in the protected share's own account."""
        return source

    async def contents(self, item: ShareItem, trust_domain: str = "") -> Contents:  # noqa: ARG002  # clusters need it
        """What the protected share holds."""
        with translated(f"reading share {item.share}"):
            share = self._share(item.source_id, item.share)
            files = await _files(share)
            contents = {path: await _digest(share, path) for path in sample(files)}
        return Contents(names=(item.share,), entries=of_files(files, contents))

    async def copy(self, plan: RestorePlan, manifest: Manifest, canaries: Sequence[str]) -> IsolatedCopy:
        """What the scratch share holds; those files are read that the manifest knows by content, and the canaries."""
        read_paths = set(sampled(manifest))
        with translated(f"reading scratch share {plan.target}"):
            share = self._share(plan.item.source_id, plan.target)
            files = await _files(share)
            contents = {f.path: await _digest(share, f.path) for f in files if f.path in read_paths}
            canary_times = {f.path: time_in(await _beginning(share, f.path)) for f in files if f.path in canaries}
        return IsolatedCopy(
            entries=of_files(files, contents), canary_times={path: at for path, at in canary_times.items() if at}
        )

    async def isolate(self, plan: RestorePlan) -> dict[str, str]:
        """Create the scratch share, in the protected share's account; nothing changes if an earlier try has.

        Its name can't be guessed and stands in the lease. Raises PermanentError where a share of that name doesn't bear
        the verification's mark.
        """
        mark = models.FileShare(file_share_properties=models.FileShareProperties(metadata={_MADE_FOR: plan.name}))
        with translated(f"creating scratch share {plan.target}"):
            found = await unless_absent(self._arm(plan).get(*_names(plan), plan.target))
            if found is None:
                await self._arm(plan).create(*_names(plan), plan.target, mark)
            elif (found.metadata or {}).get(_MADE_FOR) != plan.name:
                raise PermanentError("PlaceTaken", f"share {plan.target} is there already and isn't Meshward's")
        return {}

    async def require_isolated(self, plan: RestorePlan) -> None:
        """Raise PermanentError unless the scratch share is there with the verification's mark."""
        with translated(f"reading scratch share {plan.target}"):
            found = await unless_absent(self._arm(plan).get(*_names(plan), plan.target))
        if found is None or (found.metadata or {}).get(_MADE_FOR) != plan.name:
            raise PermanentError("PlaceTaken", f"share {plan.target} isn't there any more, or isn't Meshward's")

    async def remove(self, plan: RestorePlan, delete: Delete) -> list[str]:
        """Delete the scratch share; its name unless it was gone already. A share that isn't ours is left alone."""
        with translated(f"deleting scratch share {plan.target}"):
            found = await unless_absent(self._arm(plan).get(*_names(plan), plan.target))
            if found is None or (found.metadata or {}).get(_MADE_FOR) != plan.name:
                return []
            await delete(f"share {plan.target}", lambda: self._arm(plan).delete(*_names(plan), plan.target))
        return [plan.target]

    def _arm(self, plan: RestorePlan) -> FileSharesOperations:
        return self.client(StorageManagementClient, _account(plan.item.source_id).subscription).file_shares

    def _share(self, account: str, share: str) -> ShareClient:
        name = _account(account).name
        if name not in self._services:
            url = self._settings.file_url.format(account=name)
            self._services[name] = ShareServiceClient(
                url,
                self._credential,
                token_intent="backup",  # noqa: S106  # no password
                **through(file_share(url), {"bounds": _OF_FILES, **self._options}),
            )
        return self._services[name].get_share_client(share)


def _names(plan: RestorePlan) -> tuple[str, str]:
    account = _account(plan.item.source_id)
    return account.group, account.name


def _account(source_id: str) -> ResourceId:
    """The protected share's account, whose name goes into a host's."""
    id = ResourceId(source_id)
    if not (id.of_type(ACCOUNTS) and re.fullmatch(ACCOUNT_NAME, id.name)):
        raise PermanentError("NotAnAccount", f"{source_id} isn't the resource id of a storage account")
    return id


async def _files(client: ShareClient) -> list[ShareFile]:
    """Every file of the share, folder by folder."""
    files: list[ShareFile] = []
    folders = [""]
    while folders:
        folder = folders.pop()
        items = [item async for item in client.list_directories_and_files(folder or None, include=["timestamps"])]
        path = f"{folder}/" if folder else ""
        folders += [f"{path}{item.name}" for item in items if isinstance(item, DirectoryProperties)]
        files += [_file(path, item) for item in items if isinstance(item, FileProperties)]
    return files


def _file(folder: str, item: FileProperties) -> ShareFile:
    times = [datetime.fromisoformat(str(t)) for t in (item.last_write_time, item.change_time) if t]
    made = datetime.fromisoformat(str(item.creation_time)) if item.creation_time else None
    return ShareFile(path=f"{folder}{item.name}", size=item.size, made=made, changed=max(times, default=None))


async def _beginning(client: ShareClient, path: str) -> str:
    download = await client.get_file_client(path).download_file(offset=0, length=100, decompress=False)
    return (await download.readall()).decode(errors="replace")


async def _digest(client: ShareClient, path: str) -> str:
    digest = hashlib.sha256()
    download = await client.get_file_client(path).download_file(decompress=False)
    async for chunk in download.chunks():
        digest.update(chunk)
    return digest.hexdigest()
