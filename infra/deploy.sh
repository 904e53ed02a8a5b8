#!/bin/sh
# The whole rollout with plain az; every step may be repeated, alone too. Log in first: az login.
# AZURE_ENV_NAME names the installation, AZURE_LOCATION its region; MESHWARD_AUDIENCE comes from infra/entra.sh.
# MESHWARD_PACKAGE is a package of a release, if none is to be built.
# MESHWARD_SUBSCRIPTION_IDS has the subscriptions of the fleet, separated by commas, if it isn't the current one alone.
set -eu
cd "$(dirname "$0")/.."
: "${AZURE_ENV_NAME:?names the installation}" "${AZURE_LOCATION:?is its region}"
: "${MESHWARD_AUDIENCE:?comes from infra/entra.sh}"
export AZURE_ENV_NAME AZURE_LOCATION MESHWARD_AUDIENCE

made="$(infra/provision.sh)"
AZURE_RESOURCE_GROUP="$(echo "$made" | sed -n 's/^AZURE_RESOURCE_GROUP=//p')"
FUNCTION_APP="$(echo "$made" | sed -n 's/^FUNCTION_APP=//p')"
export AZURE_RESOURCE_GROUP FUNCTION_APP

[ -n "${MESHWARD_PACKAGE:-}" ] || infra/package.sh
infra/publish.sh "${MESHWARD_PACKAGE:-out/meshward.zip}"
infra/after-code.sh
