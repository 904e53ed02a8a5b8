#!/bin/sh
# Print an output of the last deployment of infra/main.bicep: text as it is, anything else as JSON. output.sh <name>
# Needs AZURE_ENV_NAME and AZURE_LOCATION.
set -eu
name="$(echo "${AZURE_ENV_NAME:?}" | tr 'A-Z_' 'a-z-')"
region="$(echo "${AZURE_LOCATION:?}" | tr -d ' ' | tr 'A-Z' 'a-z')"
outputs="$(az deployment sub show --name "meshward-$name-$region" --query properties.outputs --output json)"
# Resource Manager gives names of outputs back in another case, and none of a deployment that failed or is under way.
printf '%s\n' "$outputs" | "${PYTHON:-python3}" -c '
import json, sys
found = [each["value"] for name, each in (json.load(sys.stdin) or {}).items() if name.upper() == sys.argv[1]]
if not found:
    sys.exit(f"The last deployment of infra/main.bicep has no output {sys.argv[1]}, so it has not succeeded: infra/provision.sh")
(value,) = found
print(value if isinstance(value, str) else json.dumps(value))' "$1"
