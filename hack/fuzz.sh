#!/usr/bin/env bash
# Fuzzes each fuzz target of the module for FUZZTIME (default 10s). What it finds is kept below testdata/fuzz of
# the package, where every later test run tries it again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

count=0
while IFS=: read -r file name; do
  echo "== $name in $(dirname "$file"), ${FUZZTIME:=10s}"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$FUZZTIME" "./$(dirname "$file")"
  count=$((count + 1))
done < <(find . -name '*_test.go' -exec grep -Ho '^func Fuzz[A-Za-z0-9_]*' {} + | sed 's/func //; s|^\./||' | sort)
[ "$count" -gt 0 ] || { echo "no fuzz targets found" >&2; exit 1; }
echo "PASS: $count fuzz targets, $FUZZTIME each"
