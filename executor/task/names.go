package task

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/xrash/smetrics"
)

// longestMistyped bounds what is looked at for a similar name: nobody mistypes a name into more.
const longestMistyped = 40

// similar returns the name that somebody may have meant who wrote another, "" if there is none; case does not count.
// Most letters have to be right, or a name has to be the beginning of what was written.
func similar(written string, names iter.Seq[string]) string {
	if written == "" || len(written) > longestMistyped {
		return ""
	}
	written = strings.ToLower(written)
	nearest, distance, start := "", len(written), ""
	for name := range names {
		d := smetrics.WagnerFischer(written, strings.ToLower(name), 1, 1, 1)
		if d < distance || d == distance && name < nearest {
			nearest, distance = name, d
		}
		if len(name) >= 3 && len(name) > len(start) && strings.HasPrefix(written, name) {
			start = name
		}
	}
	if nearest != "" && distance*5 <= len(nearest)*2 {
		return nearest
	}
	return start
}

// listed writes the first of some names for a message.
func listed(names []string) string {
	const shown = 12
	if more := len(names) - shown; more > 0 {
		names = append(slices.Clone(names[:shown]), fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
