"""Kusto's tokens: a query as words, signs and literals."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s+|//[^\n]*
    |(?P<datetime>datetime\([^()'"]+\))
    |(?P<string>'[^']*'|"[^"]*")
    |(?P<timespan>\d+(?:\.\d+)?[dhms]\b)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<sign>!(?:startswith|endswith|contains)\b|in~|=~|!~|==|!=|>=|<=|[><=()\[\].,|*])
    |(?P<word>(?:mv-expand|project-away)\b|[A-Za-z_]\w*)""",
    re.VERBOSE,
)


class InvalidQuery(Exception):
    """`token` at `position` (0-based) is what the query stumbles over."""

    def __init__(self, token: str, position: int) -> None:
        super().__init__(f"{token!r} at {position}")
        self.token, self.position = token, position


class UnknownFunction(InvalidQuery):
    """`token` names a function that there isn't."""


class NotSimulated(Exception):
    """Something that Resource Graph would answer."""


@dataclass(frozen=True)
class Token:
    """`position` is 0-based."""

    kind: str
    text: str
    position: int


def tokens(text: str) -> list[Token]:
    """The tokens of a query, `end` last; raises InvalidQuery at what is none."""
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise InvalidQuery(text[position], position)
        if match.lastgroup:
            found.append(Token(match.lastgroup, match[0], position))
        position = match.end()
    return [*found, Token("end", "<EOF>", position)]
