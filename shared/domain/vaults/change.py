"""One difference between what is planned and what is found."""

import msgspec


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is done, to what, and why; `act` is "refuse" where nothing can be done."""

    act: str
    what: str
    why: str = "it isn't there"

    @property
    def line(self) -> str:
        return f"{self.act} {self.what}: {self.why}"
