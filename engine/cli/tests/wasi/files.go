// What Go's package os does with files and directories, and os.Root, which opens each directory of a path by itself, with
// the rights that it would hand down. The program is given one directory, /work.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

var checks, failures int

func check(ok bool, what string, err error) {
	checks++
	if !ok {
		failures++
		fmt.Printf("files.go: %s (%v)\n", what, err)
	}
}

// works says that a call has to succeed.
func works(what string, err error) { check(err == nil, what, err) }

// fails says that a call has to fail with an error of this kind.
func fails(kind error, what string, err error) { check(errors.Is(err, kind), what, err) }

func names(entries []fs.DirEntry) string {
	var all []string
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() {
			name += "/"
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

func paths(top string) {
	below := func(name string) string { return filepath.Join(top, name) }
	works("MkdirAll", os.MkdirAll(below("a/b"), 0o700))
	works("WriteFile", os.WriteFile(below("a/b/f"), []byte("hello, world"), 0o600))
	text, err := os.ReadFile(below("a/b/f"))
	check(string(text) == "hello, world", "ReadFile", err)
	info, err := os.Stat(below("a/b/f"))
	check(err == nil && info.Size() == 12 && info.Mode().IsRegular(), "Stat", err)
	_, err = os.Stat(below("none"))
	fails(fs.ErrNotExist, "Stat of nothing", err)
	_, err = os.OpenFile(below("a/b/f"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	fails(fs.ErrExist, "O_EXCL", err)
	_, err = os.OpenFile(below("a"), os.O_RDWR, 0)
	check(err != nil && strings.Contains(err.Error(), "irectory"), "a directory is not written", err)

	f, err := os.OpenFile(below("a/b/f"), os.O_RDWR|os.O_APPEND, 0)
	works("append", err)
	_, err = f.WriteString("!")
	works("WriteString", err)
	_, err = f.Seek(-6, io.SeekEnd)
	works("Seek", err)
	rest, err := io.ReadAll(f)
	check(string(rest) == "world!", "ReadAll", err)
	works("Truncate", f.Truncate(5))
	works("Sync", f.Sync())
	works("Close", f.Close())
	f, err = os.Open(below("a/b/f"))
	works("Open", err)
	_, err = f.Write([]byte("x"))
	check(err != nil, "a file opened to read is not written", err)
	check(f.Truncate(0) != nil, "a file opened to read is not cut", nil)
	buffer := make([]byte, 3)
	_, err = f.ReadAt(buffer, 2)
	check(string(buffer) == "llo", "ReadAt", err)
	works("Close", f.Close())

	when := time.Unix(1_000_000_000, 7)
	works("Chtimes", os.Chtimes(below("a/b/f"), when, when))
	info, err = os.Stat(below("a/b/f"))
	check(err == nil && info.ModTime().Equal(when), "times", err)
	works("Rename", os.Rename(below("a/b/f"), below("a/g")))
	works("Symlink", os.Symlink("g", below("a/l")))
	works("Link", os.Link(below("a/g"), below("a/h")))
	target, err := os.Readlink(below("a/l"))
	check(target == "g", "Readlink", err)
	entries, err := os.ReadDir(below("a"))
	check(names(entries) == "b/ g h l", "ReadDir "+names(entries), err)
	for index := range 100 {
		name := fmt.Sprintf("%s/file %d", below("a/b"), index)
		works("WriteFile", os.WriteFile(name, []byte(name), 0o600))
	}
	count := 0
	err = filepath.WalkDir(top, func(string, fs.DirEntry, error) error { count++; return nil })
	check(count == 106, fmt.Sprint("WalkDir ", count), err)
	fails(fs.ErrNotExist, "Remove", os.Remove(below("none")))
	check(os.Remove(below("a")) != nil, "Remove of a directory with files", nil)
	works("RemoveAll", os.RemoveAll(below("a")))
	_, err = os.Stat(below("a"))
	fails(fs.ErrNotExist, "the tree is gone", err)
}

func root(top string) {
	root, err := os.OpenRoot(top)
	works("OpenRoot", err)
	works("Root.MkdirAll", root.MkdirAll("a/b", 0o700))
	f, err := root.Create("a/b/f")
	works("Root.Create", err)
	_, err = f.WriteString("hello")
	works("WriteString", err)
	works("Close", f.Close())
	f, err = root.OpenFile("a/b/f", os.O_RDWR|os.O_APPEND, 0)
	works("Root.OpenFile", err)
	_, err = f.WriteString(", world")
	works("WriteString", err)
	works("Close", f.Close())
	text, err := root.ReadFile("a/b/f")
	check(string(text) == "hello, world", "Root.ReadFile", err)
	works("Root.WriteFile", root.WriteFile("a/b/f", []byte("new"), 0o600))
	below, err := root.OpenRoot("a/b")
	works("Root.OpenRoot", err)
	info, err := below.Stat("f")
	check(err == nil && info.Size() == 3, "Root.Stat", err)
	works("Root.Mkdir", below.Mkdir("m", 0o700))
	works("Root.Rename", below.Rename("f", "m/g"))
	works("Root.Symlink", below.Symlink("m/g", "l"))
	works("Root.Link", below.Link("m/g", "h"))
	target, err := below.Readlink("l")
	check(target == "m/g", "Root.Readlink", err)
	text, err = below.ReadFile("l")
	check(string(text) == "new", "Root.ReadFile through a link", err)
	entries, err := fs.ReadDir(below.FS(), ".")
	check(names(entries) == "h l m/", "Root.FS "+names(entries), err)
	when := time.Unix(1_000_000_000, 7)
	works("Root.Chtimes", below.Chtimes("h", when, when))
	_, err = below.Open("../../..")
	check(err != nil, "out of the root", err)
	_, err = root.Open("../secret")
	check(err != nil, "out of the sandbox", err)
	works("Root.Remove", below.Remove("h"))
	works("Root.RemoveAll", below.RemoveAll("m"))
	works("Close", below.Close())
	works("Root.RemoveAll", root.RemoveAll("a"))
	_, err = root.Lstat("a")
	fails(fs.ErrNotExist, "the tree is gone", err)
	works("Close", root.Close())
}

func main() {
	paths("/work")
	root("/work")
	fmt.Printf("%d checks, %d failures\n", checks, failures)
	if failures > 0 {
		os.Exit(1)
	}
}
