#!/usr/bin/env bash
# Writes a program's container image for linux/amd64 and linux/arm64 as an OCI archive, and beside it what is in it
# as CycloneDX, without a container engine and the same bytes each time from the same sources and Go.
#
#   hack/image.sh PROGRAM IMAGE FOLDER    # PROGRAM is manager or orgsim; writes FOLDER/PROGRAM.tar
#
# The version comes from Git (the newest tag, or the commit) and the time from the commit; outside of a Git checkout
# they are "unknown" and 1970. VERSION and SOURCE_DATE_EPOCH set others.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=hack/lib.sh
. "$root/hack/lib.sh"
[ $# -eq 3 ] || die "usage: hack/image.sh PROGRAM IMAGE FOLDER"
program=$1 image=$2
mkdir -p "$3"
folder=$(cd "$3" && pwd)
cd "$root"
[ -d "cmd/$program" ] || die "no program '$program' below cmd"

from_git() { git -C "$root" "$@" 2>/dev/null; }
revision=$(from_git rev-parse HEAD) || revision=
version=${VERSION:-}
if [ -z "$version" ] && [ -z "$revision" ]; then
  version=unknown
elif [ -z "$version" ]; then
  version=$(from_git describe --tags --match 'v[0-9]*' --abbrev=12) ||
    version=v0.0.0-$(TZ=UTC0 from_git log -1 --format=%cd --date=format-local:%Y%m%d%H%M%S)-$(from_git rev-parse --short=12 HEAD)
  [ -z "$(from_git status --porcelain --untracked-files=no)" ] || version=$version-dirty
fi
created=${SOURCE_DATE_EPOCH:-}
[ -n "$created" ] || created=$(from_git log -1 --format=%ct) || created=0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# The caller's flags and experiments would change the program.
unset GOFLAGS GOEXPERIMENT
export GOWORK=off GOAMD64=v1 GOARM64=v8.0 CGO_ENABLED=0
cyclonedx=$(tool cyclonedx-gomod)
with_progress "building the image writer" go -C hack/image build -trimpath -buildvcs=false -o "$scratch/image" .

binaries=()
for architecture in amd64 arm64; do
  built="$scratch/$architecture/$program"
  GOOS=linux GOARCH=$architecture with_progress "building $program for linux/$architecture" \
    go build -trimpath -buildvcs=false -ldflags="-s -w -X main.stamped=$version" -o "$built" "./cmd/$program"
  binaries+=(--binary "linux/$architecture=$built")
  with_progress "listing what is in it" "$cyclonedx" bin -json -std -noserial -notimestamp \
    -version "$version" -output "$scratch/$program-linux-$architecture.cdx.json" "$built"
done
"$scratch/image" --name "$image" --entrypoint "$program" --version "$version" --revision "$revision" \
  --created "$created" --out "$folder/$program.tar" "${binaries[@]}"
mv "$scratch"/*.cdx.json "$folder"
echo "$image, $program $version: $folder/$program.tar"
