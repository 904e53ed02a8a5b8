"""What a server of Consul refuses: a status and a text, in Consul's own words."""


class ConsulError(Exception):
    """An answer that isn't the one that was asked for; most are 500 with a text."""

    def __init__(self, text: str, status: int = 500) -> None:
        super().__init__(text)
        self.text, self.status = text, status


def not_found(name: str, kind: str = "") -> ConsulError:
    """A token, or what `kind` says, that the servers don't know."""
    return ConsulError("ACL not found" + (f': {kind} "{name}" not found' if kind else ""), 403)
