#!/bin/sh
# Print an output of the last deployment of infra/main.bicep: output.sh <name> [json or tsv].
# Needs AZURE_ENV_NAME and AZURE_LOCATION.
set -eu
name="$(echo "${AZURE_ENV_NAME:?}" | tr 'A-Z_' 'a-z-')"
az deployment sub show --name "meshward-$name-${AZURE_LOCATION:?}" --query "properties.outputs.$1.value" --output "${2:-json}"
