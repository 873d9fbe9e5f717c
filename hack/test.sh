#!/usr/bin/env bash
# Runs tests and ends with their number.
#
#   hack/test.sh all|unit|envtest|e2e [FLAG OF GO TEST...]
#
# A package belongs to envtest if its tests start a control plane, to e2e if it is below test/e2e, else to unit.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=hack/lib.sh
. "$root/hack/lib.sh"
cd "$root"

which=${1:?which tests: all, unit, envtest or e2e}
shift

packages() { # lines "KIND PACKAGE"
  go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... | awk '
    $1 ~ /\/test\/e2e/ { print "e2e", $1; next }
    / [^ ]*\/test\/controlplane( |$)/ { print "envtest", $1; next }
    { print "unit", $1 }'
}

selected=$(packages | awk -v which="$which" 'which == "all" || which == $1 { print $2 }')
[ -n "$selected" ] || die "no packages in '$which'; choose all, unit, envtest or e2e"

gotestsum=$(tool gotestsum)
if [ "$which" != unit ]; then
  KUBEBUILDER_ASSETS=$("$root/hack/controlplane.sh")
  export KUBEBUILDER_ASSETS
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
started=$(date +%s)
status=0
# -count=1: what kubectl reads and which control plane runs is beyond what Go's test cache looks at.
# shellcheck disable=SC2086 # a list of packages
"$gotestsum" --format pkgname-and-test-fails --format-hide-empty-pkg --hide-summary skipped --jsonfile "$scratch/log" -- \
  -count=1 -timeout 20m ${1+"$@"} $selected || status=$?

# Go counts a Ginkgo suite as one test; its specs are counted here.
awk -v seconds=$(($(date +%s) - started)) -v status="$status" '
  /"Action":"(pass|fail|skip)"/ && /"Test":/ { tests[$0 ~ /"Action":"pass"/ ? "pass" : $0 ~ /"Action":"fail"/ ? "fail" : "skip"]++ }
  match($0, /Ran [0-9]+ of [0-9]+ Specs/) { split(substr($0, RSTART, RLENGTH), words, " "); specs += words[2] }
  END {
    printf "%s in %d s: %d tests passed, %d failed, %d skipped%s\n", status == 0 ? "PASS" : "FAIL", seconds,
      tests["pass"], tests["fail"], tests["skip"], specs ? "; the Ginkgo suites among them ran " specs " specs" : ""
  }' "$scratch/log"
exit "$status"
