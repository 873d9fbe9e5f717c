#!/usr/bin/env bash
# Runs tests and ends with their number.
#
#   hack/test.sh all|unit|envtest|e2e|image|observability|node|argocd [FLAG OF GO TEST...]
#
# A package belongs to envtest if its tests start a control plane, to e2e, image, observability or node if it is
# below that folder of test, else to unit. All is all but node, which starts a node and needs root for it, and
# argocd, a module of its own with the engines of Argo CD and Flux, since these need a newer Go.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=hack/lib.sh
. "$root/hack/lib.sh"
cd "$root"

which=${1:?which tests: all, unit, envtest, e2e, image, observability, node or argocd}
shift

packages() { # lines "KIND PACKAGE"
  go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... | awk '
    $1 ~ /\/test\/e2e/ { print "e2e", $1; next }
    match($1, /\/test\/(image|node|observability)$/) { print substr($1, RSTART + 6), $1; next }
    / [^ ]*\/test\/controlplane( |$)/ { print "envtest", $1; next }
    { print "unit", $1 }'
}

if [ "$which" = argocd ]; then
  selected=.
else
  selected=$(packages | awk -v which="$which" 'which == $1 || which == "all" && $1 != "node" { print $2 }')
fi
[ -n "$selected" ] || die "no packages in '$which'; choose all, unit, envtest, e2e, image, observability, node or argocd"

gotestsum=$(tool gotestsum)
case $which in
  argocd)
    KUBEBUILDER_ASSETS=$("$root/hack/controlplane.sh")
    export KUBEBUILDER_ASSETS
    cd test/argocd
    export GOTOOLCHAIN=auto
    with_progress "building the engines of Argo CD and Flux, for minutes the first time" go test -c -o /dev/null .
    ;;
  unit | image) ;;
  node) # what cannot be started here need not be built; the test says why it cannot
    [ "$(uname -s)-$(id -u)" != Linux-0 ] || "$root/hack/controlplane.sh" node >/dev/null
    ;;
  *)
    KUBEBUILDER_ASSETS=$("$root/hack/controlplane.sh")
    export KUBEBUILDER_ASSETS
    ;;
esac

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
started=$(date +%s)
status=0
told=github.com/rollcall-dev/rollcall/internal/controller
specs=0
if grep -qx "$told" <<<"$selected"; then
  # The stories wait more than they work: several processes share them, each with a control plane of its own.
  selected=$(grep -vx "$told" <<<"$selected")
  go build -o "$scratch/ginkgo" github.com/onsi/ginkgo/v2/ginkgo
  stories() { "$scratch/ginkgo" --procs=3 --no-color --timeout=40m ./internal/controller >"$scratch/stories" 2>&1; }
  with_progress "telling the stories of internal/controller" stories || status=$?
  grep -v '^[[:space:]]*$' "$scratch/stories" | tail -n $((status == 0 ? 3 : 3000))
  specs=$(sed -n 's/^Ran \([0-9]*\) of .*/\1/p' "$scratch/stories")
fi
# -count=1: what kubectl reads and which control plane runs is beyond what Go's test cache looks at.
# That the node's test was left out, and why, is said.
hidden=(--hide-summary skipped)
[ "$which" != node ] || hidden=()
# shellcheck disable=SC2086 # a list of packages
"$gotestsum" --format pkgname-and-test-fails --format-hide-empty-pkg ${hidden[@]+"${hidden[@]}"} --jsonfile "$scratch/log" -- \
  -count=1 -timeout 30m ${1+"$@"} $selected || status=$?

# Go counts a Ginkgo suite as one test; its specs are counted here.
awk -v seconds=$(($(date +%s) - started)) -v status="$status" -v specs="${specs:-0}" '
  /"Action":"(pass|fail|skip)"/ && /"Test":/ { tests[$0 ~ /"Action":"pass"/ ? "pass" : $0 ~ /"Action":"fail"/ ? "fail" : "skip"]++ }
  match($0, /Ran [0-9]+ of [0-9]+ Specs/) { split(substr($0, RSTART, RLENGTH), words, " "); specs += words[2] }
  END {
    printf "%s in %d s: %d tests passed, %d failed, %d skipped%s\n", status == 0 ? "PASS" : "FAIL", seconds,
      tests["pass"], tests["fail"], tests["skip"], specs ? "; the Ginkgo suites among them ran " specs " specs" : ""
  }' "$scratch/log"
exit "$status"
