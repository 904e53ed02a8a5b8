#!/bin/sh
# Put what the app needs beside it, as Functions looks for it: vendor.sh <folder of the app>. Needs Python 3.13.
# Compiled packages are those for where the app runs, Linux on x86-64 with glibc 2.28 or later, wherever this runs: pip
# left to itself takes those for this machine, and with one that doesn't load there the app has no functions at all.
# Each has to have the hash that infra/lock.sh has written down: an index may give another file tomorrow.
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
  --implementation cp --python-version 3.13 --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 \
  --target "$packages" --require-hashes --no-deps -r "$root/infra/vendored.txt"
