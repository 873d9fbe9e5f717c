#!/usr/bin/env bash
# pid 1 of the node: its own view of the machine, then the daemons. Everything in it ends with this process.
set -eu
# shellcheck source=test/node/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

# The machine's disk is read-only, but for STATE.
mount --make-rprivate /
mount -n -t tmpfs -o mode=755 tmpfs /run # first, and -n: else mount makes /run/mount for itself on the machine
mount --bind "$STATE" "$STATE"
mount -o remount,bind,ro /
mount -t proc -o nosuid,nodev,noexec proc /proc
umount -l /sys/fs/cgroup
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
for hierarchy in $hierarchies; do
  options=$hierarchy
  [ "$hierarchy" != systemd ] || options=none,name=systemd
  mkdir "/sys/fs/cgroup/$hierarchy"
  mount -t cgroup -o "$options" cgroup "/sys/fs/cgroup/$hierarchy" # rooted at the node's sub-tree
done
mount --bind "$STATE/varlib" /var/lib
mount --bind "$STATE/varlog" /var/log
mkdir -p /var/lib/kubelet

# The kubelet sets sysctls of the whole machine. It gets files of its own to write to, with the machine's values;
# the rest is read-only, but for what belongs to the node's network namespace.
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,rw /proc/sys/net
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  cat "/proc/sys/$name" >"$STATE/sysctl/${name##*/}"
  mount --bind "$STATE/sysctl/${name##*/}" "/proc/sys/$name"
done
mount --make-rshared /

hostname "$node"
ip link set lo up
ip link add node0 type bridge # carries only the node's address
ip addr add "$node_ip/24" dev node0
ip link set node0 up
ip route add "$service_cidr" dev node0 # nothing leaves the node; without a route kube-proxy would not see the traffic of Services
echo 1 >/proc/sys/net/ipv4/ip_forward

export TMPDIR=$STATE/tmp HOME=$STATE/tmp PATH=$PROGRAMS:$SYSROOT/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin
libraries=$(dirname "$(find "$SYSROOT" -name 'libnftables.so.1' | head -n 1)")
cd "$STATE"
pki=$STATE/pki conf=$STATE/conf
declare -A daemons
run() { # NAME COMMAND...
  local name=$1
  shift
  "$@" >>"$STATE/log/$name.log" 2>&1 &
  daemons[$!]=$name
}
check() { # a node without one of its daemons is of no use: it ends, and says why
  local daemon
  for daemon in "${!daemons[@]}"; do
    kill -0 "$daemon" 2>/dev/null || { echo "${daemons[$daemon]} ended:"; tail -n 5 "$STATE/log/${daemons[$daemon]}.log"; exit 1; }
  done
}

run etcd etcd --data-dir "$STATE/etcd" --unsafe-no-fsync --log-level warn --listen-client-urls http://127.0.0.1:2379 \
  --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
run containerd env LD_LIBRARY_PATH="$libraries" containerd -c "$conf/containerd.toml"
run apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --secure-port=6443 --bind-address=0.0.0.0 \
  --advertise-address=$node_ip --service-cluster-ip-range=$service_cidr --allow-privileged=true \
  --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
  --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
  --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
  --kubelet-client-certificate="$pki/apiserver-kubelet.crt" --kubelet-client-key="$pki/apiserver-kubelet.key" \
  --requestheader-client-ca-file="$pki/ca.crt" --requestheader-allowed-names=front-proxy-client \
  --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
  --requestheader-extra-headers-prefix=X-Remote-Extra- \
  --proxy-client-cert-file="$pki/front-proxy.crt" --proxy-client-key-file="$pki/front-proxy.key" \
  --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$pki/service-accounts.pub" \
  --service-account-signing-key-file="$pki/service-accounts.key"

until ctr version >/dev/null 2>&1; do check; sleep 0.1; done
for archive in "$STATE"/images/*.tar; do ctr -n k8s.io images import --local "$archive"; done
# -f: an API server that is not ready prints "ok" too. A controller manager that starts before the RBAC defaults
# exist ends for good.
until curl -sfo /dev/null --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" "https://$node_ip:6443/readyz"; do
  check
  sleep 0.2
done
own() { printf -- '--kubeconfig=%s --authentication-kubeconfig=%s --authorization-kubeconfig=%s --leader-elect=false' "$1" "$1" "$1"; }
# shellcheck disable=SC2046 # a list of flags
run controller-manager kube-controller-manager $(own "$conf/controller-manager.kubeconfig") \
  --service-account-private-key-file="$pki/service-accounts.key" --root-ca-file="$pki/ca.crt" --use-service-account-credentials
# shellcheck disable=SC2046 # a list of flags
run scheduler kube-scheduler $(own "$conf/scheduler.kubeconfig")
run kubelet kubelet --config="$conf/kubelet.yaml" --kubeconfig="$conf/kubelet.kubeconfig" --hostname-override=$node --node-ip=$node_ip
run proxy env LD_LIBRARY_PATH="$libraries" kube-proxy --config="$conf/proxy.yaml"
# bash buries the orphans of a pid 1 meanwhile.
while wait -n || true; do check; done
