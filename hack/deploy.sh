#!/usr/bin/env bash
# Deploys the manager to the current cluster, removes it, or prints what would be deployed.
#
#   hack/deploy.sh apply IMAGE
#   hack/deploy.sh delete       # kinds and objects stay
#   hack/deploy.sh render IMAGE
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
kubectl=${KUBECTL:-kubectl}

# A kustomization can be based on a relative folder only. bin/ is ignored by Git.
mkdir -p bin
overlay=$(mktemp -d bin/deploy.XXXXXX)
trap 'rm -rf "$overlay"; rmdir bin 2>/dev/null || true' EXIT
cat >"$overlay/kustomization.yaml" <<EOF
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
- ../../config/default
patches:
EOF

with_image() {
  cat >>"$overlay/kustomization.yaml" <<EOF
- target: {kind: Deployment}
  patch: '[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "${1:?which image}"}]'
EOF
}

case ${1:-} in
  render)
    with_image "${2:-}"
    # Not kubectl: this must come out the same wherever it is made.
    kustomize=$(hack/tool.sh kustomize)
    "$kustomize" build "$overlay"
    ;;
  apply)
    with_image "${2:-}"
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
  *) echo "usage: hack/deploy.sh apply IMAGE | delete | render IMAGE" >&2; exit 2 ;;
esac
