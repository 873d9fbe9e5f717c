package install_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// changesLogged are the lines of the log that tell of a change, without the time.
// Every line must be JSON, and no line may have a key twice.
func changesLogged(log string) []map[string]any {
	GinkgoHelper()
	var changes []map[string]any
	for line := range strings.Lines(log) {
		var entry map[string]any
		Expect(json.Unmarshal([]byte(line), &entry)).To(Succeed(), line)
		Expect(line).NotTo(ContainSubstring("EventSource"), "noise")
		for key := range maps.Keys(entry) {
			Expect(strings.Count(line, `,"`+key+`":`)).To(BeNumerically("<=", 1), line)
		}
		if entry["msg"] == "changed the organization" {
			Expect(entry).To(HaveKeyWithValue("level", "info"))
			_, err := time.Parse(time.RFC3339Nano, fmt.Sprint(entry["ts"]))
			Expect(err).NotTo(HaveOccurred(), line)
			for _, key := range []string{"level", "msg", "ts"} {
				delete(entry, key)
			}
			changes = append(changes, entry)
		}
	}
	return changes
}
