package security

import (
	"fmt"
	"slices"
	"strings"

	"mesos-docker-executor/internal/message"
)

// Shorten bounds a string of a task for a message: at most 160 runes and "...". Invalid UTF-8 becomes U+FFFD. The work does
// not grow with the string. Where it is shown unquoted, use [Printable].
func Shorten(s string) string { return message.Shorten(s) }

// Printable is Shorten with everything that is not a printable character written as in a Go string (`\n`, `\u202e`): the
// messages end in logs, terminals and web pages, and no value of a task may look like a line of ours.
func Printable(s string) string { return message.Printable(s) }

// chooseFrom writes into a message what a policy allows of a kind: a remedy that completes "... is refused: ".
func chooseFrom(allowed []string) string {
	const shown = 12
	switch {
	case len(allowed) == 0:
		return "the policy allows none; remove it"
	case len(allowed) > shown:
		allowed = append(slices.Clone(allowed[:shown]), fmt.Sprintf("%d more", len(allowed)-shown))
	}
	return "the policy allows only " + strings.Join(allowed, ", ") + "; write one of these, or remove it"
}
