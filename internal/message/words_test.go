package message

import (
	"fmt"
	"strings"
	"testing"
)

func TestProbableWordIsSuggested(t *testing.T) {
	known := []string{"deny", "default", "untagged", "t"}
	for word, want := range map[string]string{
		"deny":      `; did you mean "deny"?`,
		"dney":      `; did you mean "deny"?`,
		"defaults":  `; did you mean "default"?`,
		"untaged":   `; did you mean "untagged"?`,
		"permit":    "",
		"x":         "", // all of it would have to change
		"":          "",
		"undefined": "",
	} {
		if got := Meant(word, known); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
	if got := Meant("a", nil); got != "" {
		t.Error(got)
	}
}

func TestNamesAreListedInBoundedLength(t *testing.T) {
	var names []string
	for i := range 15 {
		names = append(names, fmt.Sprint("n", i))
	}
	if got := Listed(names); !strings.HasPrefix(got, "n0, n1") || !strings.HasSuffix(got, "n11, 3 more") || len(names) != 15 || names[12] != "n12" {
		t.Errorf("%s, %s", got, names)
	}
	if got := Listed(nil); got != "none" {
		t.Error(got)
	}
	if got := Listed([]string{"a\nb"}); got != `a\nb` {
		t.Error(got)
	}
	if got := Quote(strings.Repeat("\n", 1000)); len(got) > 300 || !strings.HasSuffix(got, `"... (1000 bytes)`) {
		t.Error(got)
	}
}
