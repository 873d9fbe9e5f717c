#!/usr/bin/env bash
# Makes the templates of the Helm chart in dist/chart from config/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kustomize=$(hack/tool.sh kustomize)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for folder in config/default config/network-policy config/prometheus config/grafana; do
  [ -f "$folder/kustomization.yaml" ] || continue
  "$kustomize" build "$folder"
  echo ---
done >"$scratch/manifests"
mkdir -p dist/chart/templates
# Those with another ending are kept by hand.
rm -f dist/chart/templates/*.yaml
go run ./hack/chart dist/chart/templates <"$scratch/manifests"
