package message

import (
	"strings"
	"testing"
)

func TestShownTextIsBoundedAndOneLine(t *testing.T) {
	tests := map[string]string{
		"":                         "",
		"NET_ADMIN":                "NET_ADMIN",
		"größe `x` \"y\"":          "größe `x` \"y\"",
		"a\nreject: b\r\x1b[2K":    `a\nreject: b\r\x1b[2K`,
		"right \u202e to left":     `right \u202e to left`,
		"\xff":                     "\uFFFD",
		strings.Repeat("ä", 160):   strings.Repeat("ä", 160),
		strings.Repeat("ä", 1<<20): strings.Repeat("ä", 160) + "...",
	}
	for text, want := range tests {
		if got := Printable(text); got != want {
			t.Errorf("%.40q: got %q", text, got)
		}
	}
}
