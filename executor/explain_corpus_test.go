package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"mesos-docker-executor/executor/task"
)

// TestOrdinaryTasksAreExplained: explain says of each what would be created, in both launch modes, and shows no value of a
// variable.
func TestOrdinaryTasksAreExplained(t *testing.T) {
	files, err := filepath.Glob("../testdata/tasks/ordinary/*.json")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d task files: %v", len(files), err)
	}
	for _, file := range files {
		for _, mode := range []task.Mode{task.DropIn, task.Custom} {
			t.Run(filepath.Base(file)+"/"+string(mode), func(t *testing.T) {
				text := explained(t, "--decisions", "--mode", string(mode), file)
				for _, want := range []string{"accepted\n", "image ", "sandbox on /mnt/mesos/sandbox", "no-new-privileges", "no_new_privileges"} {
					if !strings.Contains(text, want) {
						t.Errorf("no %q in\n%s", want, text)
					}
				}
				var report struct {
					Accepted bool
					Create   struct {
						Config struct{ Image string }
					}
				}
				asJSON := explained(t, "--json", "--mode", string(mode), file)
				if err := json.Unmarshal([]byte(asJSON), &report); err != nil {
					t.Fatal(err)
				}
				if image := report.Create.Config.Image; !report.Accepted || !strings.Contains(text, image) {
					t.Errorf("the image is %q in JSON, and in text\n%s", image, text)
				}
				if strings.Contains(text+asJSON, "never-shown") {
					t.Errorf("a variable's value is shown:\n%s", text)
				}
			})
		}
	}
}
