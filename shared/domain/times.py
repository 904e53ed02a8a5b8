"""Times that services, tags and files write."""

from datetime import UTC, datetime


def time_in(text: str) -> datetime | None:
    """The time that a text says (ISO 8601), in UTC unless it names another zone; None for what is no time."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
