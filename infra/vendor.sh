#!/bin/sh
# Put what the app needs beside it, as Functions looks for it: vendor.sh <folder of the app>. The packages are those for
# the app's machines, Python 3.13 on Linux and x86-64 with glibc 2.28 or later, whatever machine this is. Needs pip.
set -eu
python="${PYTHON:-python3}"
root="$(cd "$(dirname "$0")/.." && pwd)"
packages="$1/.python_packages/lib/site-packages"
rm -rf "$packages"
"$python" -m pip install --quiet --disable-pip-version-check --no-compile --only-binary=:all: \
  --implementation cp --python-version 3.13 --abi cp313 --abi abi3 --abi none --platform manylinux_2_28_x86_64 \
  --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform manylinux_2_12_x86_64 \
  --platform manylinux2010_x86_64 --platform manylinux_2_5_x86_64 --platform manylinux1_x86_64 \
  --target "$packages" -r "$root/requirements.txt" -c "$root/constraints.txt"
