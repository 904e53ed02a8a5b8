"""Azure resource ids and the names in them, by one grammar: nowhere else are ids parsed or built.

    [/subscriptions/<GUID>[/resourceGroups/<group>]][/providers/<namespace>/<type>/<name>[/<type>/<name>]…]…

Rules:
- Ids and names are compared without case and keep the case in which they came (Azure Resource Manager docs). Case is
  that of ASCII alone: to Unicode, the Kelvin sign is a capital of k.
- Names are ASCII letters, digits and `_ . ( ) - ;` (Azure Backup's own names have the last) and don't end with a
  period: no dot segment, blank, quote, percent sign, query or fragment gets from an id into a URL or a query. Azure
  lets a resource group have letters of other scripts; Meshward doesn't.
- A group has up to 90 characters, other names up to 260 (Azure naming rules).
- A later `/providers/…` is an extension of the resource before it.
"""

import re
from dataclasses import dataclass

from shared.domain.errors import PermanentError, shown

SUBSCRIPTION, GROUP = "Microsoft.Resources/subscriptions", "Microsoft.Resources/resourceGroups"

GROUP_NAME = r"[A-Za-z0-9_.()-]{0,89}[A-Za-z0-9_()-]"
ACCOUNT_NAME = r"[a-z0-9]{3,24}"
_NAME = r"[A-Za-z0-9_.();-]{0,259}[A-Za-z0-9_()-]"
GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SCOPE = rf"/subscriptions/{GUID}(?:/resourcegroups/{GROUP_NAME})?"
_RESOURCE = rf"/providers/[a-z0-9]+(?:\.[a-z0-9]+)+(?:/(?!providers/)[a-z][a-z0-9]{{0,62}}/{_NAME})+"
_ID = re.compile(rf"(?=/)(?:{_SCOPE})?(?:{_RESOURCE})*", re.ASCII | re.IGNORECASE)
_LONGEST = 2048
_IN_GROUP = 2  # where the namespace of a group's own resource stands, after subscription and group


@dataclass(frozen=True, eq=False, slots=True)
class ResourceId:
    """A resource id of this grammar; raises PermanentError "NotAResourceId" for any other text.

    `text` is the id as it was written. Two ids are equal if they are, without case.
    """

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > _LONGEST or not _ID.fullmatch(self.text):
            raise PermanentError("NotAResourceId", f"{shown(self.text)} isn't an Azure resource id")

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResourceId) and folded(self.text) == folded(other.text)

    def __hash__(self) -> int:
        return hash(folded(self.text))

    @property
    def subscription(self) -> str:
        """The subscription's GUID; raises PermanentError for what is above all subscriptions."""
        return self._named(0, "subscriptions")

    @property
    def group(self) -> str:
        """The resource group's name; raises PermanentError for what is in none."""
        return self._named(1, "resourcegroups")

    @property
    def type(self) -> str:
        """Namespace and types, as in `Microsoft.Network/virtualNetworks/subnets`; an extension's are its own."""
        pairs = self._pairs
        position = _namespace(pairs)
        if position is None:
            return GROUP if len(pairs) > 1 else SUBSCRIPTION
        return "/".join([pairs[position][1], *(key for key, _ in pairs[position + 1 :])])

    @property
    def namespace(self) -> str:
        """The resource provider's."""
        return self.type.partition("/")[0]

    @property
    def name(self) -> str:
        """The last name."""
        return self._pairs[-1][1]

    @property
    def parent(self) -> "ResourceId":
        """What it is in or extends; raises PermanentError for what is in nothing."""
        above = self._pairs[:-1]
        if above and _namespace(above) == len(above) - 1:
            above.pop()
        if not above:
            raise PermanentError("NotAResourceId", f"{shown(self.text)} has no parent resource")
        return ResourceId("".join(f"/{key}/{name}" for key, name in above))

    def child(self, type: str, name: str) -> "ResourceId":
        """The resource of this type and name in this one; of a type with a namespace, the one that extends it.

        Raises PermanentError "NotAResourceId" for a name that isn't one name.
        """
        path = self.collection(type)
        if "/" in name:
            raise PermanentError("NotAResourceId", f"{shown(name)} isn't the name of an Azure resource")
        return ResourceId(f"{path}/{name}")

    def collection(self, type: str) -> str:
        """The path that lists such children."""
        return f"{self.text}/providers/{type}" if "/" in type else f"{self.text}/{type}"

    def of_type(self, *types: str) -> bool:
        """Whether it is of one of these types, in a resource group and no extension of another resource."""
        return self._is(types) and _namespace(self._pairs) == _IN_GROUP

    def nearest(self, *types: str) -> "ResourceId":
        """Itself or what it is in, whichever comes first that is of one of these types; raises PermanentError."""
        found = self
        while not found._is(types):
            found = found.parent
        return found

    def _is(self, types: tuple[str, ...]) -> bool:
        return self.type.lower() in (type.lower() for type in types)

    def _named(self, position: int, key: str) -> str:
        found, name = self._pairs[position] if position < len(self._pairs) else ("", "")
        if found.lower() != key:
            raise PermanentError("NotAResourceId", f"{shown(self.text)} has nothing of {key}")
        return name

    @property
    def _pairs(self) -> list[tuple[str, str]]:
        words = self.text.split("/")
        return list(zip(words[1::2], words[2::2], strict=True))


def _namespace(pairs: list[tuple[str, str]]) -> int | None:
    """Where the last namespace stands."""
    return next(
        (position for position in reversed(range(len(pairs))) if pairs[position][0].lower() == "providers"), None
    )


def subscription_scope(subscription: str) -> ResourceId:
    """The id of a subscription."""
    found = ResourceId(f"/subscriptions/{subscription}")
    if found.type != SUBSCRIPTION:
        raise PermanentError("NotAResourceId", f"{shown(subscription)} isn't the id of a subscription")
    return found


def group_scope(subscription: str, group: str) -> ResourceId:
    """The id of a resource group."""
    return subscription_scope(subscription).child("resourceGroups", group)


def parsed(text: str) -> ResourceId | None:
    """The id; None for a text that isn't one, where that is no fault."""
    try:
        return ResourceId(text)
    except PermanentError:
        return None


def name_of(text: str) -> str:
    """The name at the end of an id; services and people give either, so any other text is taken for a name."""
    found = parsed(text)
    return found.name if found else text


def is_name(text: str) -> bool:
    """Whether the text could be the name of a resource."""
    return bool(re.fullmatch(_NAME, text))


def same(one: str, other: str) -> bool:
    """Whether two ids or names are the same, which they are whatever their case."""
    return folded(one) == folded(other)


def folded(text: str) -> str:
    """What ids and names are compared by: in lower case. What has letters beyond ASCII is no id and stays as it is."""
    return text.lower() if text.isascii() else text
