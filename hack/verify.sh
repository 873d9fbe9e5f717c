#!/usr/bin/env bash
# Checks that what is generated into the tree is what the generators make of it now, that the Go code is
# formatted, and that every go.mod is tidy. The generators run in a copy, so the checkout is left alone and may
# hold changes that are not committed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=hack/lib.sh
. "$root/hack/lib.sh"
cd "$root"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# Everything that Git knows or would add.
git ls-files --cached --others --exclude-standard >"$scratch/all"
while IFS= read -r file; do
  [ ! -f "$file" ] || printf '%s\n' "$file"
done <"$scratch/all" >"$scratch/files"
mkdir "$scratch/before" "$scratch/after"
for copy in before after; do
  tar -cf - -T "$scratch/files" | tar -xf - -C "$scratch/$copy"
done

echo "== generated code, manifests and formatting"
# So that a file that is no longer generated shows too.
rm -f "$scratch"/after/api/*/zz_generated.*.go "$scratch"/after/config/crd/bases/*.yaml "$scratch/after/config/rbac/role.yaml" "$scratch/after/dist/install.yaml" "$scratch"/after/dist/chart/templates/*.yaml \
  "$scratch/after/docs/reference.md"
make --no-print-directory -C "$scratch/after" generated
if ! diff -ru "$scratch/before" "$scratch/after" | sed "s|$scratch/||g"; then
  echo "the tree differs from what is generated from it: run make generated, and commit" >&2
  failed=1
fi

echo "== go.mod of every module"
while IFS= read -r file; do
  folder=$(dirname "$file")
  # A module may need a newer Go than the others.
  if ! (cd "$folder" && GOWORK=off GOTOOLCHAIN=auto go mod tidy -diff); then
    echo "$file or its go.sum is not tidy: run go mod tidy in $folder, and commit" >&2
    failed=1
  fi
done < <(grep -E '(^|/)go\.mod$' "$scratch/files")

[ "$failed" -eq 0 ] || exit 1
echo "PASS: what is generated is up to date"
