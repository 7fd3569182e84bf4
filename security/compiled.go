package security

import (
	"regexp"
	"sync"
)

// compiled is a regular expression that is compiled when it is first used: every executor loads this package, twice, and few
// use all of them.
func compiled(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
