#!/bin/sh
# Build out/meshward.zip, what is deployed and nothing else, and check that it imports where nothing is installed: on a
# machine like those that it is for (infra/vendor.sh), as no other can.
set -eu
. "$(dirname "$0")/help.sh"
arguments $# 0 0
cd "$(dirname "$0")/.."
python="$("${PYTHON:-python3}" -c 'import sys; print(sys.executable)')"
export PYTHON="$python"
rm -rf out/package out/meshward.zip
mkdir -p out/package
cp -R function_app.py functions shared host.json requirements.txt LICENSE out/package/
infra/vendor.sh out/package
find out/package -name __pycache__ -prune -exec rm -rf {} +
(
  cd out/package
  if [ "$(uname -sm)" = "Linux x86_64" ]; then
    env -i "$python" -B -S - <<'CHECK'
import sys

sys.path[:0] = [".", ".python_packages/lib/site-packages"]
import function_app
import importlib
import pkgutil
import shared.adapters

for module in pkgutil.walk_packages(shared.adapters.__path__, "shared.adapters."):
    importlib.import_module(module.name)
functions = sorted(function.get_function_name() for function in function_app.app.get_functions())
assert "on_cluster_event" in functions, functions
print(f"{len(functions)} functions import with nothing but the package")
CHECK
  else
    echo "not tried: the package is for Linux on x86-64, and this is $(uname -sm)"
  fi
  "$python" -m zipfile -c ../meshward.zip .python_packages ./*
)
echo "out/meshward.zip: $(du -m out/meshward.zip | cut -f1) MB, unpacked $(du -sm out/package | cut -f1) MB"
