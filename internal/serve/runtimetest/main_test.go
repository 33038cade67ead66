package runtimetest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"hubspotconnector/internal/serve/runtimetest"
)

// dir holds what the tests built.
var dir string

func TestMain(m *testing.M) {
	var err error
	if dir, err = os.MkdirTemp("", "functions"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// functions are all functions, by their folders.
func functions(t testing.TB) (folders []string) {
	t.Helper()
	mains, err := filepath.Glob("../../../functions/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("no functions: %v", err)
	}
	for _, name := range mains {
		folders = append(folders, filepath.Dir(name))
	}
	return folders
}

var once sync.Once

// built returns the binary of a function or of the probe.
func built(t testing.TB, name string) string {
	t.Helper()
	once.Do(func() { runtimetest.Build(t, dir, append(functions(t), "./testdata/probe")...) })
	binary := filepath.Join(dir, name)
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("%s could not be built", name)
	}
	return binary
}
