#!/usr/bin/env bash
# Shows rollcall at work, from a clone with Go alone: builds what is needed, starts a control plane, a
# simulated organization and the manager, and walks through what they do. KEEP=1 keeps them running.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=hack/lib.sh
. "$root/hack/lib.sh"
cd "$root"

echo "Getting a control plane (a first run builds it from source, which takes some minutes) ..."
assets=$("$root/hack/controlplane.sh" kube-apiserver etcd kubectl)
mkdir -p bin
for program in manager orgsim; do
  with_progress "building $program" go build -o "bin/$program" "./cmd/$program"
done
with_progress "building the demo" go build -o bin/demo ./hack/demo
# exec, so that Ctrl-C and kill reach the demo itself.
exec bin/demo --assets "$assets" --programs bin ${KEEP:+--keep}
