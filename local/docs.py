"""What `make docs` writes: the pages under docs/ that follow from the code."""

import json
from pathlib import Path
from typing import Any

import msgspec

from shared.domain.policy import Knobs, Policy

DOCS = Path(__file__).parent.parent / "docs"


def policy_schema() -> str:
    """The JSON Schema of the policy document, with a newline at its end."""
    (policy, knobs), defined = msgspec.json.schema_components([Policy, Knobs], ref_template="#/$defs/{name}")
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **policy, "$defs": defined}
    parts = defined["Policy"]["properties"]
    parts["default"] = knobs
    parts["trust_domains"]["additionalProperties"] = parts["clusters"]["additionalProperties"] = knobs
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


GENERATED = {"policy.schema.json": policy_schema}


if __name__ == "__main__":
    for name, content in GENERATED.items():
        (DOCS / name).write_text(content())
