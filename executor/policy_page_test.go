package main

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the outputs of commands into docs/policy-file.md and docs/classes.md")

// TestOutputsOnThePolicyPage: what the pages of the operator's files show of commands is what they print. To renew them: make docs
func TestOutputsOnThePolicyPage(t *testing.T) {
	t.Chdir("..")
	for _, page := range []string{"docs/policy-file.md", "docs/classes.md"} {
		t.Run(page, func(t *testing.T) { checkOutputs(t, page) })
	}
}

func checkOutputs(t *testing.T, page string) {
	const marker, fence = "<!-- shows: ", "```text\n"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(data), marker)
	for i, part := range parts[1:] {
		command, block, ok := strings.Cut(part, " -->\n"+fence)
		shown, after, ok2 := strings.Cut(block, "```\n")
		if !ok || !ok2 {
			t.Fatalf("no block is behind %q", part)
		}
		out, status, complaint := commanded(nil, strings.Fields(command)...)
		if status == exitUsage || complaint != "" {
			t.Fatalf("%s: %d %s", command, status, complaint)
		}
		if out != shown && !*update {
			t.Errorf("the page is behind; run `make docs`. %s prints\n%s", command, out)
		}
		parts[i+1] = command + " -->\n" + fence + out + "```\n" + after
	}
	if len(parts) < 3 {
		t.Errorf("%d outputs", len(parts)-1)
	}
	if *update {
		if err := os.WriteFile(page, []byte(strings.Join(parts, marker)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
