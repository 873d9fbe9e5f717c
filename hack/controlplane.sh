#!/usr/bin/env bash
# Gets the Kubernetes programs that the tests and the demo run, and prints the folder that holds them.
#
#   hack/controlplane.sh [PROGRAM...]
#
# PROGRAM is one of kube-apiserver, etcd, kubectl, kube-controller-manager (default: these four), or `node`: these
# and what the node of test/node needs besides. Each comes from the first of these that has it:
#   1. the folder named by KUBEBUILDER_ASSETS, if that is set
#   2. `setup-envtest use`, where its download can be reached (ROLLCALL_NO_DOWNLOAD=1 leaves this out)
#   3. its source, built with Go alone: minutes on a first run, nothing after that
# Results are kept outside the checkout in ${XDG_CACHE_HOME:-~/.cache}/rollcall, by version.
# Progress goes to standard error; standard output is the folder and nothing else.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=hack/lib.sh
. "$root/hack/lib.sh"

programs=("$@")
[ ${#programs[@]} -gt 0 ] || programs=(kube-apiserver etcd kubectl kube-controller-manager)
[ "${programs[*]}" != node ] || programs=(kube-apiserver etcd kubectl kube-controller-manager
  kubelet kube-scheduler kube-proxy containerd containerd-shim-runc-v2 ctr)

kubernetes_version=$(module_version hack/controlplane/kubernetes k8s.io/kubernetes)
containerd_version=$(module_version hack/controlplane/containerd github.com/containerd/containerd/v2)
platform="$(go env GOOS)-$(go env GOARCH)"
folder="$(cache_folder)/controlplane/$kubernetes_version-$platform"
if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  folder="$(cache_folder)/controlplane/linked-$(printf %s "$KUBEBUILDER_ASSETS" | cksum | cut -d' ' -f1)"
fi

link_from() { # FOLDER PROGRAM
  [ -x "$1/$2" ] || return 1
  ln -sf "$1/$2" "$folder/$2"
}

from_source() { # PROGRAM
  local module package flags="-s -w"
  case $1 in
    etcd) module=etcd package=go.etcd.io/etcd/server/v3 ;;
    containerd | containerd-shim-runc-v2 | ctr)
      module=containerd package=github.com/containerd/containerd/v2/cmd/$1
      flags="$flags -X github.com/containerd/containerd/v2/version.Version=$containerd_version" ;;
    *)
      module=kubernetes package=k8s.io/kubernetes/cmd/$1
      local v="k8s.io/component-base/version" minor=${kubernetes_version#v1.}
      flags="$flags -X $v.gitVersion=$kubernetes_version -X $v.gitMajor=1 -X $v.gitMinor=${minor%%.*}"
      flags="$flags -X k8s.io/client-go/pkg/version.gitVersion=$kubernetes_version" ;;
  esac
  # GOFLAGS of the caller could name a vendor folder or a mod file that this module does not have.
  with_progress "building $1 from source (kept for next time)" \
    env GOFLAGS=-buildvcs=false GOWORK=off CGO_ENABLED=0 \
    go -C "$root/hack/controlplane/$module" build -trimpath -ldflags "$flags" -o "$folder/.$1.$$" "$package"
  mv "$folder/.$1.$$" "$folder/$1"
}

downloaded=
download() { # prints nothing; sets `downloaded` to the folder, or to "none"
  downloaded=none
  [ "${ROLLCALL_NO_DOWNLOAD:-}" != 1 ] || return 0
  local minor=${kubernetes_version#v} out
  out=$(mktemp)
  if with_progress "asking setup-envtest for Kubernetes ${minor%.*}" --optional \
    "$(tool setup-envtest)" use "${minor%.*}.x" --bin-dir "$(cache_folder)/envtest" -p path >"$out"; then
    downloaded=$(cat "$out")
  fi
  rm -f "$out"
}

# What envtest's archives hold; everything else comes from its source.
is_in_envtest() { case $1 in kube-apiserver | etcd | kubectl) ;; *) return 1 ;; esac; }

mkdir -p "$folder"
for program in "${programs[@]}"; do
  case $program in
    kube-apiserver | etcd | kubectl | kube-controller-manager) ;;
    kubelet | kube-scheduler | kube-proxy | containerd | containerd-shim-runc-v2 | ctr) ;;
    *) die "unknown program '$program'; hack/controlplane.sh itself says which are known" ;;
  esac
  [ ! -x "$folder/$program" ] || continue
  if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
    if link_from "$KUBEBUILDER_ASSETS" "$program"; then continue; fi
    ! is_in_envtest "$program" ||
      die "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS has no $program; unset KUBEBUILDER_ASSETS, or name a folder that has it"
  fi
  lock "$folder/.lock"
  if [ ! -x "$folder/$program" ]; then
    if is_in_envtest "$program" && [ -z "$downloaded" ]; then download; fi
    if ! is_in_envtest "$program" || ! link_from "$downloaded" "$program"; then
      from_source "$program"
    fi
  fi
  unlock
done
echo "$folder"
