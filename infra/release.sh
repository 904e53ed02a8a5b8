#!/bin/sh
# Build into out/release what a release consists of: the package, its bill of materials and their checksums; and into
# out/notes.md what CHANGELOG.md says of this version.
# Needs cyclonedx-py, by CYCLONEDX=<path> if it isn't on the path (infra/cyclonedx.txt pins it).
set -eu
cd "$(dirname "$0")/.."
python="$("${PYTHON:-python3}" -c 'import sys; print(sys.executable)')"
mkdir -p out
version="$("$python" -B -c 'import shared; print(shared.__version__)')"
awk -v version="[$version]" '/^## / { of_this = $2 == version; next } of_this' CHANGELOG.md >out/notes.md
grep -q . out/notes.md || { echo "CHANGELOG.md says nothing of $version" >&2; exit 1; }
# One that is there was built where nothing was installed: what builds the rest can't have touched it.
[ -n "${MESHWARD_PACKAGE:-}" ] || infra/package.sh
rm -rf out/release
mkdir -p out/release
cp out/meshward.zip "out/release/meshward-$version.zip"

# cyclonedx-py asks an interpreter what is installed: here one that sees what is in the package, and nothing else
packaged=out/packaged-python
printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s" -S "$@"\n' "$PWD/out/package/.python_packages/lib/site-packages" "$python" >"$packaged"
chmod +x "$packaged"
export PYTHONWARNINGS=ignore # it misses what pyproject.toml doesn't say: requirements.txt does
"${CYCLONEDX:-cyclonedx-py}" environment -S --pyproject pyproject.toml --output-reproducible \
  --output-file "out/release/meshward-$version.cdx.json" "$packaged"

(cd out/release && sha256sum -- * >SHA256SUMS)
cat out/release/SHA256SUMS
