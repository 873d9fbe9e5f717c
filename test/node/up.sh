#!/usr/bin/env bash
# Starts a Kubernetes node of its own beside the machine: mount, network, pid, uts, ipc and cgroup namespaces, with
# no link to the machine's network. It writes to STATE only, prints the process ID of its pid 1, imports
# STATE/images/*.tar, and ends after LIMIT seconds if down.sh does not end it before.
set -euo pipefail
# shellcheck source=test/node/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

mkdir -p "$STATE"/{pki,conf,cni,log,etcd,tmp,opt,varlib,varlog,sysctl,images}
chmod 700 "$STATE/etcd"
"$here/certificates.sh"
"$here/configuration.sh"

for hierarchy in $hierarchies; do mkdir "/sys/fs/cgroup/$hierarchy/$group"; done
for file in cpus mems; do
  cat "/sys/fs/cgroup/cpuset/cpuset.$file" >"/sys/fs/cgroup/cpuset/$group/cpuset.$file"
done
# A cgroup namespace is rooted where its creator stands. Outside of the sub-tree the kubelet would make its groups at
# the machine's top, so this refuses to go on there.
export here group hierarchies
# shellcheck disable=SC2016 # for the inner shell
setsid bash -ec '
  for hierarchy in $hierarchies; do echo $$ >"/sys/fs/cgroup/$hierarchy/$group/cgroup.procs"; done
  for hierarchy in $hierarchies; do
    grep -qE "^[0-9]+:([^:]*,)?(name=)?$hierarchy(,[^:]*)?:/$group\$" /proc/$$/cgroup || { echo "not in $group of $hierarchy"; exit 1; }
  done
  exec timeout --kill-after=1 "${LIMIT:-1200}" \
    unshare --mount --net --pid --uts --ipc --cgroup --fork --kill-child "$here/init.sh"' \
  >"$STATE/log/init.log" 2>&1 </dev/null &
timeout=$!
echo "$timeout" >"$STATE/timeout.pid"

child() { cat "/proc/$1/task/$1/children" 2>/dev/null; }
init=
for _ in $(seq 100); do
  unshare=$(child "$timeout") && [ -n "$unshare" ] && init=$(child "${unshare% }") && [ -n "$init" ] && break
  sleep 0.1
done
[ -n "$init" ] || { cat "$STATE/log/init.log" >&2; echo "up.sh: the node did not start" >&2; exit 1; }
echo "${init% }" | tee "$STATE/init.pid"
