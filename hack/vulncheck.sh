#!/usr/bin/env bash
# Looks for known vulnerabilities in what the packages call, and fails if there is one.
#
#   hack/vulncheck.sh [--required] [PACKAGE...]    # default: all of the module's
#
# The vulnerability database is that of the Go project, https://vuln.go.dev, or VULNDB, a URL. Where it is out of
# reach nothing is checked, which is said, and fails with --required only.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=hack/lib.sh
. "$root/hack/lib.sh"
cd "$root"

required=
if [ "${1:-}" = --required ]; then required=1; shift; fi
[ $# -gt 0 ] || set -- ./...

govulncheck=$(tool govulncheck)
said=$(mktemp)
trap 'rm -f "$said"' EXIT
status=0
"$govulncheck" -db "${VULNDB:-https://vuln.go.dev}" "$@" 2>"$said" || status=$?
if unreachable=$(grep -m 1 -E '(fetching vulnerabilities|creating client):' "$said") && [ "$status" -eq 1 ]; then
  echo "LEFT OUT: nothing was checked for vulnerabilities, since the database is out of reach: $unreachable" >&2
  [ -n "$required" ] || exit 0
  die "the database is required here"
fi
cat "$said" >&2
case $status in
  0) echo "PASS: no known vulnerability is called" ;;
  3) echo "FAIL: a known vulnerability is called" >&2 ;;
esac
exit "$status"
