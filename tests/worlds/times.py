"""When worlds begin, and what time is counted in."""

from datetime import UTC, datetime, timedelta

START = 1_800_000_000.0  # virtual time is independent of the day the tests run
NOW = datetime.fromtimestamp(START, UTC)  # 2027-01-15T08:00:00Z, a Friday
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
