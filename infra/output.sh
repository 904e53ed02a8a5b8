#!/bin/sh
# Print an output of the last deployment of infra/main.bicep: text as it is, anything else as JSON. output.sh <name>
# Needs AZURE_ENV_NAME and AZURE_LOCATION.
set -eu
name="$(echo "${AZURE_ENV_NAME:?}" | tr 'A-Z_' 'a-z-')"
region="$(echo "${AZURE_LOCATION:?}" | tr -d ' ' | tr 'A-Z' 'a-z')"
# Resource Manager gives names of outputs back in another case.
az deployment sub show --name "meshward-$name-$region" --query properties.outputs --output json |
  "${PYTHON:-python3}" -c '
import json, sys
(value,) = [each["value"] for name, each in json.load(sys.stdin).items() if name.upper() == sys.argv[1]]
print(value if isinstance(value, str) else json.dumps(value))' "$1"
