package app

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// saveAs writes what from gives to a new file, and says how many bytes. The file has its name once
// it is whole: a download that breaks off leaves nothing. It replaces no file.
func saveAs(name string, from io.Reader) (n int64, err error) {
	if _, err := os.Lstat(name); err == nil {
		return 0, errReplaces(name)
	}
	file, err := os.CreateTemp(filepath.Dir(name), ".carillon-*.part") // readable by its owner alone
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	n, err = io.Copy(file, from)
	if err = errors.Join(err, file.Close()); err != nil {
		return 0, err
	}
	return n, nameFile(file.Name(), name)
}

// nameFile gives a file that is whole its name, unless there is one of this name.
func nameFile(from, name string) error {
	err := os.Link(from, name) // unlike a rename it replaces nothing
	if errors.Is(err, fs.ErrExist) {
		return errReplaces(name)
	}
	if err != nil {
		return os.Rename(from, name) // a disk without links
	}
	return nil
}

func errReplaces(name string) error {
	return fmt.Errorf("%s exists already; give another name", name)
}
