//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// private makes files and folders of this process readable by its own user only, whatever the mask
// of the shell that started it: the database and the master key hold secrets.
func private() { syscall.Umask(0o077) }

// privateFolder refuses a data folder that users outside its group can read, list or change. A
// group may have it: a volume of Kubernetes belongs to root and to the group of the pod. A folder
// that is not there is fine: it is made with mode 0700.
func privateFolder(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unread(dir, err)
	}
	mode := info.Mode().Perm()
	if mode&0o007 == 0 {
		return nil
	}
	own := filepath.Join(dir, "carillon")
	if owner(info) == os.Geteuid() && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("%s is open to all users of this machine (mode %04o), and the database holds secrets; run `chmod 700 %s`",
			dir, mode, shellWord(dir))
	}
	return fmt.Errorf("%s is open to all users of this machine (mode %04o), and the database holds secrets; set CARILLON_DATA=%s, "+
		"a folder that carillon makes with mode 0700, or run as root `chown %d %s && chmod 700 %s`",
		dir, mode, shellWord(own), os.Geteuid(), shellWord(dir), shellWord(dir))
}

// privateKey refuses a master key file that other users can read or change. A file of root may be
// readable by its group, because that is how root gives a key to a service: a secret of Kubernetes
// with fsGroup has mode 0440, and so has a credential of systemd. uid is the user of this process.
func privateKey(file string, info fs.FileInfo, uid int) error {
	mode := info.Mode().Perm()
	byRoot := owner(info) == 0 && uid != 0
	if mode&0o077 == 0 || byRoot && mode&0o037 == 0 {
		return nil
	}
	who := "all users of this machine"
	if mode&0o007 == 0 {
		who = "its group"
	}
	word := shellWord(file)
	cure := "`chmod 600 " + word + "`"
	switch {
	case byRoot:
		cure = fmt.Sprintf("as root `chgrp %d %s && chmod 440 %s`, or in Kubernetes set fsGroup, and defaultMode: 0400 for the secret",
			os.Getegid(), word, word)
	case owner(info) != uid:
		cure = fmt.Sprintf("as root `chown %d %s && chmod 600 %s`", uid, word, word)
	}
	return fmt.Errorf("%s is open to %s (mode %04o); run %s", file, who, mode, cure)
}

// owner is the user that a file belongs to; -1 where the system does not say.
func owner(info fs.FileInfo) int {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid)
	}
	return -1
}

// shellWord writes a path as one word of a shell.
func shellWord(path string) string {
	if strings.IndexFunc(path, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("/._-+:@,", c))
	}) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
