package security

import (
	"fmt"
	"strings"
)

var hostnameLabel = compiled(`^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$`)

// hostname decides over the two names in the container's UTS namespace. On the host's network Docker would take a
// hostname, but nobody could reach the container by it; the stock executor refuses it as well.
func (r *review) hostname(field, rule, what, name string, out *string) {
	if name == "" {
		return
	}
	err := CheckHostname(name)
	switch {
	case err != nil:
		r.reject(field, name, rule, "%s %q is refused: it %v.", what, Shorten(name), err)
	case r.out.Host.NetworkMode == "host":
		r.reject(field, name, rule, "%s %q is refused: on the host's network the container has the host's name; remove it.", what, Shorten(name))
	case r.out.Host.UTSMode == "host":
		r.reject(field, name, rule, "%s %q is refused: it would rename the host, whose UTS namespace the container shares; remove it.", what, Shorten(name))
	default:
		r.allow(field, name, rule)
		*out = name
	}
}

// CheckHostname checks a hostname as RFC 1123 has it, at most 63 characters: Linux's limit is 64 (uname(2)), and some
// C libraries need one for the NUL. The error completes "it ...".
func CheckHostname(name string) error {
	if len(name) == 0 || len(name) > 63 {
		return fmt.Errorf("must have 1 to 63 characters")
	}
	for part := range strings.SplitSeq(name, ".") {
		if !hostnameLabel().MatchString(part) {
			return fmt.Errorf("must consist of letters, digits and '-' (not at an end), in parts separated by dots")
		}
	}
	return nil
}
