#!/usr/bin/env bash
# Writes the files of a release: the image as an OCI archive, what is in it, the manifests, the chart, and the
# checksums of them all. The same commit, version and Go give the same files.
#
#   hack/release.sh VERSION REPOSITORY FOLDER    # VERSION is like v0.1.0; REPOSITORY is the image's, without a tag
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=hack/lib.sh
. "$root/hack/lib.sh"
[ $# -eq 3 ] || die "usage: hack/release.sh VERSION REPOSITORY FOLDER"
version=$1 repository=$2
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || die "VERSION is '$version'; write it like v0.1.0"
[ ! -e "$3" ] || die "$3 is there already; remove it first"
mkdir -p "$3"
folder=$(cd "$3" && pwd)
cd "$root"

# What hack/image.sh and Helm take for the time of all that they write.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

VERSION=$version hack/image.sh manager "$repository:$version" "$scratch"
mv "$scratch/manager.tar" "$folder/rollcall-$version-image.tar"
for list in "$scratch"/manager-*.cdx.json; do
  mv "$list" "$folder/rollcall-$version-${list##*/manager-}"
done

hack/deploy.sh render "$repository:$version" >"$folder/install.yaml"

cp -R dist/chart "$scratch/rollcall"
sed -i.old "s|^\( *repository:\).*|\1 $repository|" "$scratch/rollcall/values.yaml"
rm "$scratch/rollcall/values.yaml.old"
helm=$(tool helm)
# The chart's version is without the v, as Helm wants it; the image's tag, which is appVersion, has it.
"$helm" package "$scratch/rollcall" --version "${version#v}" --app-version "$version" --destination "$folder" >/dev/null
mv "$folder/rollcall-${version#v}.tgz" "$folder/rollcall-$version-chart.tgz"

cd "$folder"
sha256sum ./* | sed 's| \./| |' >"$scratch/SHA256SUMS"
mv "$scratch/SHA256SUMS" .
echo "rollcall $version: $folder"
ls -l
