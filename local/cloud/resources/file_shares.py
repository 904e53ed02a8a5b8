"""Azure Files: shares as resources of a storage account, and their files over REST under /files/{account}.

Rules (Azure Files REST docs; shaped after the SDK's models, no specification was at hand):
- Reading takes a token for https://storage.azure.com, the intent header `backup` and a data role that is effective.
- Errors are XML with x-ms-error-code. A range of an empty file is 416.
- A directory exists as long as something is in it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from xml.etree import ElementTree

from local.cloud.arm import REGION, Arm, Resource, iso, not_found
from local.cloud.entra import Entra
from local.cloud.resources.permissions import Permissions
from local.cloud.resources.resource_groups import ResourceGroups
from local.cloud.resources.storage import TYPE as ACCOUNT_TYPE
from local.cloud.wire import CloudRequest, Reply, Route

SHARE_TYPE = f"{ACCOUNT_TYPE}/fileServices/shares"
DATA_ROLES = (
    "b8eda974-7b85-4f76-af95-65846b26df6d",  # Storage File Data Privileged Reader
    "69566ab7-960f-475b-8e7c-b3118f30c6bd",  # Storage File Data Privileged Contributor
)
_PAGE = 5_000
_ACCOUNT = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{ACCOUNT_TYPE}/{{account}}"
_SHARES = f"{_ACCOUNT}/fileServices/default/shares"


@dataclass(frozen=True)
class StoredFile:
    content: bytes
    written: float


class FileShareService:
    """Accounts and shares are named; a path has no leading slash. A share that doesn't exist raises KeyError."""

    def __init__(self, arm: Arm, entra: Entra, groups: ResourceGroups, permissions: Permissions) -> None:
        self._arm, self._entra, self._groups, self._permissions = arm, entra, groups, permissions
        self._files: dict[str, dict[str, StoredFile]] = {}
        arm.wire.mount(
            [
                Route("PUT", f"{_SHARES}/{{share}}", self._put),
                Route("GET", f"{_SHARES}/{{share}}", arm.get),
                Route("DELETE", f"{_SHARES}/{{share}}", self._delete),
                Route("GET", _SHARES, arm.list_of(SHARE_TYPE)),
            ],
            guard=arm.guard,
        )
        read = [
            Route(m, f"/files/{{account}}/{{share}}{p}", self._read)
            for m in ("GET", "HEAD")
            for p in ("", "/{path:path}")
        ]
        arm.wire.mount(read, guard=self._guard)

    def account(self, name: str) -> Resource:
        """The storage account with this name, made in `rg-storage` if there is none."""
        return self._account(name) or self._arm.store(
            {
                "id": f"{self._groups.add('rg-storage')['id']}/providers/{ACCOUNT_TYPE}/{name}",
                "name": name,
                "type": ACCOUNT_TYPE,
                "kind": "StorageV2",
                "location": REGION,
                "sku": {"name": "Standard_LRS", "tier": "Standard"},
                "properties": {"provisioningState": "Succeeded", "primaryLocation": REGION},
            }
        )

    def create(self, account: str, share: str) -> Resource:
        """Make an empty share exist; one that exists is left as it is."""
        id = f"{self.account(account)['id']}/fileServices/default/shares/{share}"
        return self._arm.find(id) or self._store(id, {})

    def write(self, account: str, share: str, path: str, content: bytes) -> None:
        self._of(account, share)[path] = StoredFile(content, self._arm.clock.time())

    def files(self, account: str, share: str) -> dict[str, bytes]:
        """All files by path."""
        return {path: file.content for path, file in self._of(account, share).items()}

    def exists(self, account: str, share: str) -> bool:
        return self._arm.find(self._id(account, share)) is not None

    def shares(self, account: str) -> list[str]:
        return [s["name"] for s in self._arm.of_type(SHARE_TYPE, self._id(account, ""))]

    def delete_share(self, account: str, share: str) -> None:
        self._arm.remove(self._id(account, share))

    def _account(self, name: str) -> Resource | None:
        return next((a for a in self._arm.of_type(ACCOUNT_TYPE) if a["name"] == name), None)

    def _id(self, account: str, share: str) -> str:
        holder = self._account(account) or {"id": f"/no-account/{account}"}
        return f"{holder['id']}/fileServices/default/shares/{share}".lower()

    def _of(self, account: str, share: str) -> dict[str, StoredFile]:
        id = self._id(account, share)
        if self._arm.find(id) is None:
            raise KeyError(f"{account}/{share}")
        return self._files[id]

    # shares in Resource Manager

    def _store(self, id: str, properties: dict[str, object]) -> Resource:
        if self._arm.find(id) is None:
            self._files[id.lower()] = {}
        now = iso(self._arm.clock.time())
        defaults = {
            "shareQuota": 5_120,
            "accessTier": "TransactionOptimized",
            "enabledProtocols": "SMB",
            "leaseStatus": "unlocked",
            "leaseState": "available",
        }
        return self._arm.store(
            {
                "id": id,
                "name": id.rpartition("/")[2],
                "type": SHARE_TYPE,
                "etag": f'"{hashlib.sha256((id + now).encode()).hexdigest()[:17]}"',
                "properties": {**defaults, **properties, "lastModifiedTime": now},
            }
        )

    def _put(self, call: CloudRequest) -> Reply:
        if self._arm.find(call.path.partition("/fileServices/")[0]) is None:
            return not_found(call)
        existing = self._arm.find(call.path)
        share = self._store(call.path, (call.body or {}).get("properties") or {})
        return Reply(status=200 if existing else 201, body=share)

    def _delete(self, call: CloudRequest) -> Reply:
        return Reply(status=200 if self._arm.remove(call.path) else 204)

    # files over REST

    def _guard(self, call: CloudRequest) -> Reply | None:
        caller = self._entra.caller(call, audience="https://storage.azure.com")
        if caller is None:
            return _failure(401, "InvalidAuthenticationInfo", "Authentication information is not given correctly.")
        if call.headers.get("x-ms-file-request-intent") != "backup":
            return _failure(400, "MissingRequiredHeader", "x-ms-file-request-intent is required.")
        scope = self._id(call.params["account"], call.params["share"])
        if not any(self._permissions.holds(caller.object_id, role, scope) for role in DATA_ROLES):
            return _failure(403, "AuthorizationPermissionMismatch", "This request is not authorized.")
        return None

    def _read(self, call: CloudRequest) -> Reply:
        id = self._id(call.params["account"], call.params["share"])
        if self._arm.find(id) is None:
            return _failure(404, "ShareNotFound", "The specified share does not exist.")
        files, path = self._files[id], call.params.get("path", "").strip("/")
        if call.query.get("restype") == "directory":
            exists = not path or any(other.startswith(f"{path}/") for other in files)
            return _listing(call, files, path) if exists else _failure(404, "ResourceNotFound", "No such directory.")
        if path not in files:
            return _failure(404, "ResourceNotFound", "The specified resource does not exist.")
        return _download(call, files[path])


def _download(call: CloudRequest, file: StoredFile) -> Reply:
    headers = {
        "Content-Type": "application/octet-stream",
        "Last-Modified": formatdate(file.written, usegmt=True),
        "ETag": f'"{hashlib.sha256(file.content).hexdigest()[:17]}"',
        "Accept-Ranges": "bytes",
        "x-ms-type": "File",
        "x-ms-version": call.headers["x-ms-version"],
        "x-ms-file-last-write-time": iso(file.written),
    }
    if call.method == "HEAD":
        return Reply(content=file.content, headers=headers)
    byte_range = call.headers.get("x-ms-range", "").removeprefix("bytes=")
    if not byte_range:
        return Reply(content=file.content, headers=headers)
    first, _, last = byte_range.partition("-")
    part = file.content[int(first) : int(last) + 1 if last else None]
    if not part:
        return _failure(416, "InvalidRange", "The range specified is invalid for the current size of the resource.")
    headers["Content-Range"] = f"bytes {first}-{int(first) + len(part) - 1}/{len(file.content)}"
    return Reply(status=206, content=part, headers=headers)


def _listing(call: CloudRequest, files: dict[str, StoredFile], path: str) -> Reply:
    under = f"{path}/" if path else ""
    below = {name.removeprefix(under): file for name, file in files.items() if name.startswith(under)}
    entries = sorted({name.split("/")[0] for name in below if name.startswith(call.query.get("prefix", ""))})
    start, size = int(call.query.get("marker") or 0), int(call.query.get("maxresults") or _PAGE)
    root = ElementTree.Element(
        "EnumerationResults",
        {
            "ServiceEndpoint": call.url.partition(f"/{call.params['share']}")[0],
            "ShareName": call.params["share"],
            "DirectoryPath": path,
        },
    )
    ElementTree.SubElement(root, "Prefix").text = call.query.get("prefix", "")
    _entries(ElementTree.SubElement(root, "Entries"), entries[start : start + size], below)
    more = str(start + size) if len(entries) > start + size else ""
    ElementTree.SubElement(root, "NextMarker").text = more
    return _xml(200, root, {"x-ms-version": call.headers["x-ms-version"]})


def _entries(parent: ElementTree.Element, names: Iterable[str], below: dict[str, StoredFile]) -> None:
    for name in names:
        file = below.get(name)
        entry = ElementTree.SubElement(parent, "File" if file else "Directory")
        ElementTree.SubElement(entry, "Name").text = name
        properties = ElementTree.SubElement(entry, "Properties")
        if file:
            ElementTree.SubElement(properties, "Content-Length").text = str(len(file.content))
            ElementTree.SubElement(properties, "LastWriteTime").text = iso(file.written)
            ElementTree.SubElement(properties, "Last-Modified").text = formatdate(file.written, usegmt=True)


def _failure(status: int, code: str, message: str) -> Reply:
    root = ElementTree.Element("Error")
    ElementTree.SubElement(root, "Code").text = code
    ElementTree.SubElement(root, "Message").text = message
    return _xml(status, root, {"x-ms-error-code": code})


def _xml(status: int, root: ElementTree.Element, headers: dict[str, str]) -> Reply:
    content = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return Reply(status=status, content=content, headers={"Content-Type": "application/xml", **headers})
