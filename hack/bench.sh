#!/usr/bin/env bash
# Measures rollcall on a real control plane with a simulated organization, prints a table and writes
# bench.json. Arguments go to the program: hack/bench.sh --help.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
KUBEBUILDER_ASSETS=$("$root/hack/controlplane.sh" kube-apiserver etcd kubectl)
export KUBEBUILDER_ASSETS
mkdir -p bin
go build -o bin/bench ./test/bench
# exec, so that Ctrl-C reaches the program itself.
exec bin/bench "$@"
