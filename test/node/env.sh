# What the node's scripts share. Sourced, with STATE (a folder for all that the node writes), PROGRAMS (the folder
# that hack/controlplane.sh prints) and SYSROOT (the folder that packages.sh prints) in the environment.
# shellcheck shell=bash disable=SC2034 # used by the scripts that source this
: "${STATE:?}" "${PROGRAMS:?}" "${SYSROOT:?}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
node=rollcall-node
node_ip=10.99.0.1
service_cidr=10.96.0.0/16
kubernetes_ip=10.96.0.1
pod_cidr=10.244.0.0/24
pause=rollcall.local/pause:1
# The node's own sub-tree in each hierarchy of control groups.
group=$(basename "$STATE")
hierarchies="cpu cpuacct cpuset memory devices freezer blkio pids systemd"
