# Functions that the scripts below hack/ share. Sourced, with `root` set to the checkout's folder.
# shellcheck shell=bash

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

cache_folder() { printf '%s/rollcall' "${XDG_CACHE_HOME:-$HOME/.cache}"; }

module_version() { # FOLDER MODULE: the version that FOLDER's go.mod requires
  awk -v module="$2" '$1 == "require" && $2 == module { print $3 } $1 == module { print $2 }' \
    "$root/$1/go.mod" | head -n 1
}

# with_progress LABEL [--optional] COMMAND...: runs COMMAND and says every few seconds that it still runs.
# What COMMAND writes to standard error is shown when it fails; with --optional a failure is one line.
with_progress() {
  local label=$1 optional=0 log status=0 started pid shown=0 elapsed
  shift
  if [ "$1" = --optional ]; then optional=1; shift; fi
  log=$(mktemp)
  started=$(date +%s)
  "$@" 2>"$log" &
  pid=$!
  # A child must not outlive the script (Ctrl-C in a shell without job control leaves it running).
  trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM
  while kill -0 "$pid" 2>/dev/null; do
    elapsed=$(($(date +%s) - started))
    if [ "$elapsed" -ge 2 ]; then
      if [ -t 2 ]; then
        printf '\r  %s ... %d s ' "$label" "$elapsed" >&2
      elif [ $((elapsed / 15)) -ge "$shown" ]; then
        printf '  %s ... %d s\n' "$label" "$elapsed" >&2
        shown=$((elapsed / 15 + 1))
      fi
    fi
    sleep 0.2
  done
  wait "$pid" || status=$?
  trap - INT TERM
  elapsed=$(($(date +%s) - started))
  [ ! -t 2 ] || printf '\r\033[K' >&2
  if [ "$status" -eq 0 ]; then
    [ "$elapsed" -lt 2 ] || printf '  %s: done in %d s\n' "$label" "$elapsed" >&2
  elif [ "$optional" = 1 ]; then
    printf '  %s: not to be had here, going on without\n' "$label" >&2
  else
    printf '  %s: failed after %d s\n' "$label" "$elapsed" >&2
    cat "$log" >&2
  fi
  rm -f "$log"
  return "$status"
}

held_lock=
lock() { # FOLDER: waits until nobody else builds into the same folder
  local waited=0
  until mkdir "$1" 2>/dev/null; do
    local owner
    owner=$(cat "$1/pid" 2>/dev/null || true)
    if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then
      rm -rf "$1" # its owner was killed
      continue
    fi
    [ $((waited % 75)) -ne 10 ] || printf '  waiting for process %s, which builds the same\n' "${owner:-?}" >&2
    waited=$((waited + 1))
    sleep 0.2
  done
  echo $$ >"$1/pid"
  held_lock=$1
  trap unlock EXIT
}
unlock() {
  [ -z "$held_lock" ] || rm -rf "$held_lock"
  held_lock=
}

# tool NAME: builds the tool if need be and prints its path. Each tool's version is pinned in a module of
# its own below hack/tools, so that the product's go.mod stays small.
tool() {
  local name=$1 folder="$root/hack/tools/$1" package target
  [ -f "$folder/go.mod" ] || die "no tool '$name' below hack/tools"
  package=$(awk '$1 == "tool" { print $2; exit }' "$folder/go.mod")
  target="$(cache_folder)/tools/$name-$(cksum <"$folder/go.mod" | cut -d' ' -f1)-$(go env GOVERSION)/$name"
  if [ ! -x "$target" ]; then
    mkdir -p "$(dirname "$target")"
    # remove_all_sd leaves out of promtool the clients of every cloud, five sixths of its build; to all others it
    # says nothing.
    with_progress "building $name" \
      env GOFLAGS=-buildvcs=false GOWORK=off CGO_ENABLED=0 \
      go -C "$folder" build -trimpath -tags remove_all_sd -o "$target.$$" "$package" || return 1
    mv "$target.$$" "$target"
  fi
  printf '%s\n' "$target"
}
