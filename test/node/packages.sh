#!/usr/bin/env bash
# Unpacks the Debian packages that a node needs besides what Go builds, and prints the folder that holds them.
# Nothing is installed: apt works with lists and a cache of its own, in rollcall's cache.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=hack/lib.sh
. "$root/hack/lib.sh"

# runc needs C for its seccomp filters; nftables is what kube-proxy calls. The rest is what these two load.
packages=(runc libseccomp2 containernetworking-plugins
  nftables libnftables1 libnftnl11 libmnl0 libjansson4 libedit2 libbsd0 libmd0 libxtables12)

release=$(. /etc/os-release && printf '%s-%s' "$ID" "${VERSION_CODENAME:-$VERSION_ID}")
folder="$(cache_folder)/node/$release-$(printf '%s ' "${packages[@]}" | cksum | cut -d' ' -f1)"
if [ ! -d "$folder" ]; then
  for program in apt-get dpkg-deb; do
    command -v "$program" >/dev/null || die "no $program here: the node's runc, CNI plugins and nft come from Debian's packages"
  done
  mkdir -p "$folder.apt"/{lists,cache,packages} "$folder.unfinished"
  apt() {
    apt-get -q -o "Dir::State::lists=$folder.apt/lists" -o "Dir::Cache=$folder.apt/cache" -o APT::Sandbox::User=root "$@"
  }
  fetch() { # in a shell of its own, because apt-get downloads into the current folder
    (cd "$folder.apt/packages" && apt update && apt download "${packages[@]}") >&2
  }
  with_progress "downloading ${#packages[@]} Debian packages" fetch
  for package in "$folder.apt/packages"/*.deb; do dpkg-deb -x "$package" "$folder.unfinished"; done
  rm -rf "$folder.apt"
  mv "$folder.unfinished" "$folder"
fi
echo "$folder"
