#!/usr/bin/env bash
# Fuzzes each fuzz target of the module for FUZZTIME (default 300000x). What it finds is kept below testdata/fuzz of
# the package, where every later test run tries it again.
#
# FUZZTIME is a number of tries rather than a time such as 1m, the end of which Go before 1.27 now and then takes for a
# failure ("context deadline exceeded", golang/go#75804).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

count=0
while IFS=: read -r file name; do
  echo "== $name in $(dirname "$file"), ${FUZZTIME:=300000x}"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$FUZZTIME" "./$(dirname "$file")"
  count=$((count + 1))
done < <(find . -name '*_test.go' -exec grep -Ho '^func Fuzz[A-Za-z0-9_]*' {} + | sed 's/func //; s|^\./||' | sort)
[ "$count" -gt 0 ] || { echo "no fuzz targets found" >&2; exit 1; }
echo "PASS: $count fuzz targets, $FUZZTIME each"
