package app

import (
	"testing"
	"testing/fstest"
)

// TestMemoryOfTheContainer: the least limit counts, in version 1 and 2, in a container and in a
// service of systemd.
func TestMemoryOfTheContainer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"none": {map[string]string{}, 0},
		"version 2, in a container": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "268435456\n",
			"sys/fs/cgroup/memory.high": "max\n"}, 256 << 20},
		"version 2, no limit": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 0},
		"a service, its slice has less": {map[string]string{"proc/self/cgroup": "0::/a.slice/carillon.service\n",
			"sys/fs/cgroup/a.slice/memory.max": "134217728", "sys/fs/cgroup/a.slice/carillon.service/memory.max": "268435456"}, 128 << 20},
		"a service with MemoryHigh": {map[string]string{"proc/self/cgroup": "0::/carillon.service",
			"sys/fs/cgroup/carillon.service/memory.high": "104857600", "sys/fs/cgroup/carillon.service/memory.max": "max"}, 100 << 20},
		"version 1, in a container": {map[string]string{"proc/self/cgroup": "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n0::/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "268435456\n", "sys/fs/cgroup/cpu,cpuacct/memory.max": "1"}, 256 << 20},
		"version 1, no limit": {map[string]string{"proc/self/cgroup": "4:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		"nonsense": {map[string]string{"proc/self/cgroup": "x\n:\n0::../..\n", "sys/fs/cgroup/memory.max": "much"}, 0},
	} {
		root := fstest.MapFS{}
		for file, text := range c.files {
			root[file] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := cgroupMemory(root); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestBudget: Go's heap and SQLite's pages fit into a container together, and GOMEMLIMIT wins.
func TestBudget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		container, set int64
		sqlite         bool
		want           budget
	}{
		{0, 0, true, budget{}},
		{1000 << 20, 0, false, budget{heap: 868 << 20}},
		{320 << 20, 0, true, budget{heap: 224 << 20, pages: 32 << 20}},
		{64 << 20, 0, true, budget{heap: 28 << 20, pages: 4 << 20}},
		{10 << 30, 0, true, budget{heap: 9<<30 - programBytes - pagesMost, pages: pagesMost}},
		{320 << 20, 64 << 20, true, budget{heap: 64 << 20, pages: 8 << 20}},
	} {
		if got := budgetOf(c.container, c.set, c.sqlite); got != c.want {
			t.Errorf("%d, %d: %+v, want %+v", c.container, c.set, got, c.want)
		}
	}
}
