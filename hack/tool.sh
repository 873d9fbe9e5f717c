#!/usr/bin/env bash
# Prints the path of a tool of hack/tools, after building it if need be.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=hack/lib.sh
. "$root/hack/lib.sh"
tool "$1"
