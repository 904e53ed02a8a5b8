#!/bin/sh
# Write infra/vendored.txt: every package that is deployed, with the hash of the one file of it that fits where the app
# runs. Run it after a version has changed in requirements.txt or constraints.txt.
set -eu
. "$(dirname "$0")/help.sh"
arguments $# 0 0
cd "$(dirname "$0")/.."
mkdir -p out
"${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --dry-run --ignore-installed --report - \
  --only-binary=:all: --implementation cp --python-version 3.13 --platform manylinux_2_28_x86_64 \
  --platform manylinux2014_x86_64 --target out/none -r requirements.txt -c constraints.txt |
  "${PYTHON:-python3}" -c '
import json, sys
print("# Written by infra/lock.sh: what infra/vendor.sh installs, and nothing that has another hash.")
for each in sorted(json.load(sys.stdin)["install"], key=lambda each: each["metadata"]["name"].lower()):
    told, hashes = each["metadata"], each["download_info"]["archive_info"]["hashes"]
    print(told["name"] + "==" + told["version"], "--hash=sha256:" + hashes["sha256"])' >out/vendored.txt
mv out/vendored.txt infra/vendored.txt
