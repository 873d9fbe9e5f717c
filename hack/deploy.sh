#!/usr/bin/env bash
# Deploys the manager to the current cluster, or removes it.
#
#   hack/deploy.sh apply IMAGE
#   hack/deploy.sh delete       # kinds and objects stay
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
kubectl=${KUBECTL:-kubectl}

# A kustomization can be based on a relative folder only. bin/ is ignored by Git.
mkdir -p bin
overlay=$(mktemp -d bin/deploy.XXXXXX)
trap 'rm -rf "$overlay"' EXIT
cat >"$overlay/kustomization.yaml" <<EOF
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
- ../../config/default
patches:
EOF

case ${1:-} in
  apply)
    cat >>"$overlay/kustomization.yaml" <<EOF
- target: {kind: Deployment}
  patch: '[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "${2:?which image}"}]'
EOF
    "$kubectl" apply -k config/crd
    "$kubectl" wait --for=condition=Established --timeout=60s -f <("$kubectl" kustomize config/crd)
    "$kubectl" apply -k "$overlay"
    ;;
  delete)
    cat >>"$overlay/kustomization.yaml" <<EOF
- target: {kind: CustomResourceDefinition}
  patch: '{"\$patch": "delete", "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "any"}}'
EOF
    "$kubectl" delete -k "$overlay" --ignore-not-found
    ;;
  *) echo "usage: hack/deploy.sh apply IMAGE | delete" >&2; exit 2 ;;
esac
