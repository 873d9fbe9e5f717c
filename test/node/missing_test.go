package node_test

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// missing says why no node can be started here, or nothing.
func missing() string {
	if runtime.GOOS != "linux" {
		return "a node needs Linux, and this is " + runtime.GOOS
	}
	if os.Geteuid() != 0 {
		return "a node needs root: sudo -E env PATH=$PATH make test-node"
	}
	for _, name := range []string{"unshare", "nsenter", "setsid", "timeout", "mount", "ip", "hostname", "openssl", "curl", "find"} {
		if _, err := exec.LookPath(name); err != nil {
			return "a node needs the program " + name
		}
	}
	if _, err := os.Stat("/etc/debian_version"); err != nil {
		return "a node needs Debian or Ubuntu, for their packages of runc, CNI plugins and nftables"
	}
	for hierarchy := range strings.FieldsSeq("cpu cpuacct cpuset memory devices freezer blkio pids systemd") {
		if _, err := os.Stat("/sys/fs/cgroup/" + hierarchy + "/cgroup.procs"); err != nil {
			return "a node needs control groups of version 1, and there is no /sys/fs/cgroup/" + hierarchy
		}
	}
	if output, err := exec.Command("unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "true").CombinedOutput(); err != nil {
		return "a node needs namespaces of its own, and unshare says: " + strings.TrimSpace(string(output))
	}
	return ""
}
