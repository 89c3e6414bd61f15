package app

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"carillon/app/billing"
)

// What a server needs of its machine: a descriptor for each connection, stream and call, and room
// for the log of SQLite.
const (
	filesLeast = 4096
	diskLeast  = 256 << 20
)

// machine looks at descriptors and disk.
func (d *doctorCmd) machine() (out []billing.Finding) {
	files, err := openFiles()
	if err != nil {
		out = append(out, billing.Finding{Text: "the limit of open files cannot be read: " + err.Error()})
	} else if files < filesLeast {
		out = append(out, billing.Finding{Text: fmt.Sprintf("a process of this user may open %d files, and each connection needs one; "+
			"raise the limit to 65536 (systemd: LimitNOFILE, shell: ulimit -n, Docker: --ulimit nofile)", files)})
	} else {
		out = append(out, billing.Finding{OK: true, Text: fmt.Sprintf("a process of this user may open %d files", files)})
	}
	if d.URL != "" {
		return out // PostgreSQL has its own disk
	}
	return append(out, disk(d.Data))
}

// disk looks at the disk of a folder, or of the nearest folder above it that is there.
func disk(dir string) billing.Finding {
	at := filepath.Clean(dir)
	for _, err := os.Stat(at); os.IsNotExist(err) && at != filepath.Dir(at); _, err = os.Stat(at) {
		at = filepath.Dir(at)
	}
	free, err := diskFree(at)
	if err != nil {
		return billing.Finding{Text: fmt.Sprintf("the disk of %s cannot be looked at: %v", at, err)}
	}
	if free < diskLeast {
		return billing.Finding{Text: fmt.Sprintf("the disk of %s has %d MiB left, and rings are refused when it is full; make room, "+
			"or move the data folder", at, free>>20)}
	}
	return billing.Finding{OK: true, Text: fmt.Sprintf("the disk of %s has %d MiB left", at, free>>20)}
}

// openFiles is how many files this process may have open.
func openFiles() (int, error) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 0, err
	}
	return int(min(files.Cur, 1<<30)), nil
}

// diskFree is how many bytes this user may still write on the disk of a folder.
func diskFree(dir string) (uint64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return fs.Bavail * uint64(fs.Bsize), nil
}
