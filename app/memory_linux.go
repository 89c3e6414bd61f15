package app

import (
	"bufio"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// containerMemory is the least memory limit of the control groups of this process; 0 = none.
func containerMemory() int64 { return cgroupMemory(os.DirFS("/")) }

// cgroupMemory reads the limits of the control groups that this process is in, and of those above
// them: memory.max and memory.high of version 2, memory.limit_in_bytes of version 1. In a container
// the path of /proc/self/cgroup may be the host's, of which only the top is mounted, so missing
// folders are passed over. See cgroups(7) and Documentation/admin-guide/cgroup-v2.rst of Linux.
func cgroupMemory(root fs.FS) (least int64) {
	groups, err := root.Open("proc/self/cgroup")
	if err != nil {
		return 0
	}
	defer groups.Close()
	for lines := bufio.NewScanner(groups); lines.Scan(); {
		_, group, _ := strings.Cut(lines.Text(), ":") // 4:memory:/path, or 0::/path in version 2
		controllers, at, _ := strings.Cut(group, ":")
		top, files := "sys/fs/cgroup", []string{"memory.max", "memory.high"}
		if controllers != "" {
			top, files = "sys/fs/cgroup/memory", []string{"memory.limit_in_bytes"}
		}
		if controllers != "" && !strings.Contains(","+controllers+",", ",memory,") {
			continue
		}
		for at = path.Join("/", at); ; at = path.Dir(at) {
			for _, file := range files {
				if limit := limitIn(root, path.Join(top, at, file)); limit > 0 && (least == 0 || limit < least) {
					least = limit
				}
			}
			if at == "/" {
				break
			}
		}
	}
	return least
}

// noLimit is from where a number means that there is none: version 1 writes the highest page.
const noLimit = 1 << 60

// limitIn is the number in a file; 0 = there is none, or it is "max".
func limitIn(root fs.FS, file string) int64 {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n >= noLimit {
		return 0
	}
	return n
}
