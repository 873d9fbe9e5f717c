package node_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// machine is what a node could change of the machine that it runs on: what there is, and its value.
type machine map[string]string

// restless are sysctls that change by themselves.
var restless = []string{
	"fs/dentry-state", "fs/file-nr", "fs/inode-nr", "fs/inode-state", "fs/aio-nr", "fs/quota/", "kernel/random/",
	"kernel/ns_last_pid", "kernel/pty/nr", "net/netfilter/nf_conntrack_count", "kernel/perf_event_max_sample_rate",
}

func lookAtMachine() machine {
	GinkgoHelper()
	m := machine{}
	m.addSysctls()
	for what, command := range map[string][]string{
		"link":  {"ip", "-oneline", "link"},
		"route": {"ip", "route", "show", "table", "all"},
		"rule":  {"ip", "rule"},
	} {
		output, err := exec.Command(command[0], command[1:]...).Output()
		Expect(err).NotTo(HaveOccurred())
		for line := range strings.Lines(string(output)) {
			m[what+" "+strings.TrimSpace(line)] = ""
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	Expect(err).NotTo(HaveOccurred())
	for line := range strings.Lines(string(mounts)) {
		m["mount "+strings.TrimSpace(line)] = ""
	}
	for _, folder := range []string{
		"/", "/etc", "/run", "/var", "/var/lib", "/var/log", "/usr/libexec", "/opt", "/sys/fs/cgroup/*", "/sys/class/net",
	} {
		m.addFolder(folder)
	}
	return m
}

// addFolder notes what the folders that the pattern matches hold.
func (m machine) addFolder(pattern string) {
	GinkgoHelper()
	entries, err := filepath.Glob(filepath.Join(pattern, "*"))
	Expect(err).NotTo(HaveOccurred())
	for _, entry := range entries {
		if info, err := os.Stat(entry); err == nil && info.IsDir() {
			m["folder "+entry] = ""
		}
	}
}

func (m machine) addSysctls() {
	GinkgoHelper()
	err := filepath.WalkDir("/proc/sys", func(path string, entry fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, "/proc/sys/")
		if err != nil || entry.IsDir() || slices.ContainsFunc(restless, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			return nil //nolint:nilerr // what cannot be listed cannot be compared
		}
		if value, err := os.ReadFile(path); err == nil {
			m["sysctl "+name] = strings.TrimSpace(string(value))
		}
		return nil
	})
	Expect(err).NotTo(HaveOccurred())
}

// expectUnchanged compares the machine with how it was. Sysctls of the network that are new came with a kernel
// module that the proxy's rules needed; nothing else may be new.
func (m machine) expectUnchanged(before machine) {
	GinkgoHelper()
	var changes []string
	for what, value := range before {
		now, there := m[what]
		if !there {
			changes = append(changes, "gone: "+what)
		} else if now != value {
			changes = append(changes, what+" was "+value+" and is "+now)
		}
	}
	for what := range m {
		if _, there := before[what]; !there && !strings.HasPrefix(what, "sysctl net/") {
			changes = append(changes, "new: "+what)
		}
	}
	slices.Sort(changes)
	Expect(changes).To(BeEmpty(), "the node changed the machine")
}

// expectOnlyTheNode compares the machine while the node runs: its control groups are new, and nothing else.
func (m machine) expectOnlyTheNode(before machine) {
	GinkgoHelper()
	for what := range m {
		if strings.HasPrefix(what, "folder /sys/fs/cgroup/") && strings.HasSuffix(what, "/"+filepath.Base(cluster.state)) {
			delete(m, what)
		}
	}
	m.expectUnchanged(before)
}
