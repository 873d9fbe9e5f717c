#!/usr/bin/env bash
# Ends the node: with its pid 1 every process and mount goes. Then removes its control groups and STATE.
set -euo pipefail
# shellcheck source=test/node/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

gone() { ! kill -0 "$1" 2>/dev/null; }
if [ -f "$STATE/init.pid" ]; then
  init=$(cat "$STATE/init.pid")
  # A number that another process has by now is left alone.
  if tr '\0' ' ' 2>/dev/null <"/proc/$init/cmdline" | grep -q "$here/init.sh"; then kill -9 "$init"; fi
  for _ in $(seq 200); do gone "$init" && gone "$(cat "$STATE/timeout.pid")" && break; sleep 0.1; done
fi
remains=
for _ in $(seq 100); do
  remains=
  for hierarchy in $hierarchies; do
    folder=/sys/fs/cgroup/$hierarchy/$group
    [ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true
    [ ! -d "$folder" ] || remains=$folder
  done
  [ -n "$remains" ] || break
  sleep 0.1
done
[ -z "$remains" ] || { echo "down.sh: $remains remains" >&2; exit 1; }
rm -rf "$STATE"
