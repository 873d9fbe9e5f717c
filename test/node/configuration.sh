#!/usr/bin/env bash
# Writes what containerd, the network, the kubelet and the proxy are configured by.
set -euo pipefail
# shellcheck source=test/node/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

cat >"$STATE/conf/containerd.toml" <<EOF
version = 4
root = '$STATE/containerd'
state = '/run/containerd'
temp = '$STATE/tmp'
imports = []
disabled_plugins = ['io.containerd.nri.v1.nri', 'io.containerd.internal.v1.tracing']
[plugins.'io.containerd.internal.v1.opt']
  path = '$STATE/opt'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '$pause'
[plugins.'io.containerd.cri.v1.runtime']
  netns_mounts_under_state_dir = true
  # Root may lack CAP_SYS_RESOURCE (in a container it does), and then runc dies of a lower score.
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['$SYSROOT/usr/lib/cni']
  conf_dir = '$STATE/cni'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  BinaryName = '$SYSROOT/usr/sbin/runc'
  SystemdCgroup = false
EOF
cat >"$STATE/cni/10-bridge.conflist" <<EOF
{"cniVersion": "1.0.0", "name": "bridge", "plugins": [{
  "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pod_cidr"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
EOF
# cgroupRoot is the root of the node's cgroup namespace, which is the node's own sub-tree outside of it.
# failCgroupV1: some machines have version 1 only, which the kubelet refuses unless told.
cat >"$STATE/conf/kubelet.yaml" <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $STATE/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $STATE/pki/kubelet.crt
tlsPrivateKeyFile: $STATE/pki/kubelet.key
readOnlyPort: 0
failSwapOn: false
makeIPTablesUtilChains: false
resolvConf: ""
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
EOF
cat >"$STATE/conf/proxy.yaml" <<EOF
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: $STATE/conf/proxy.kubeconfig}
hostnameOverride: $node
clusterCIDR: $pod_cidr
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
EOF
