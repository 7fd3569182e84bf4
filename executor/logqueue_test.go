package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// hangingDisk lets writes go on only when it is told to.
type hangingDisk struct {
	goOn chan struct{}

	mu      sync.Mutex
	written bytes.Buffer // guarded by mu
}

func (d *hangingDisk) Write(p []byte) (int, error) {
	<-d.goOn
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.written.Write(p)
}

func (d *hangingDisk) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.written.String()
}

func TestHangingDiskDoesNotHoldUpWhoeverLogs(t *testing.T) {
	disk := &hangingDisk{goOn: make(chan struct{})}
	w := newLogWriter(disk)
	const lines = logQueue + 10
	for i := range lines {
		fmt.Fprintf(w, "line %d\n", i)
	}
	if w.close() {
		t.Error("all is written to a disk that hangs")
	}
	close(disk.goOn)
	<-w.done
	text := disk.text()
	if !strings.Contains(text, "line 0\n") || !strings.Contains(text, "lines were dropped") || strings.Contains(text, fmt.Sprintf("line %d\n", lines-1)) {
		t.Errorf("written:\n%s", text)
	}
	fmt.Fprintln(w, "after the end") // is nobody's trouble
}

func TestLogIsWholeAtItsEnd(t *testing.T) {
	disk := &hangingDisk{goOn: make(chan struct{})}
	close(disk.goOn)
	w := newLogWriter(disk)
	for i := range 100 {
		fmt.Fprintf(w, "line %d\n", i)
	}
	if !w.close() || strings.Count(disk.text(), "\n") != 100 {
		t.Errorf("written:\n%s", disk.text())
	}
}
