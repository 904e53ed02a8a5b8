#!/bin/sh
# Put what the app needs beside it, as Functions looks for it: vendor.sh <folder of the app>. Needs Python 3.13.
set -eu
python="${PYTHON:-python3}"
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' || {
  echo "The packages must be built with Python 3.13, which the app runs on; say which with PYTHON=..." >&2
  exit 1
}
root="$(cd "$(dirname "$0")/.." && pwd)"
packages="$1/.python_packages/lib/site-packages"
rm -rf "$packages"
"$python" -m pip install --quiet --disable-pip-version-check --no-compile --only-binary=:all: \
  --target "$packages" -r "$root/requirements.txt" -c "$root/constraints.txt"
