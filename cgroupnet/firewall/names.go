package firewall

import (
	"fmt"
	"strings"
)

// maxComment is the most bytes of a comment that nft takes (NFTNL_UDATA_COMMENT_MAXLEN is 128 with the terminating zero); iptables would
// take 255 (XT_MAX_COMMENT_LEN).
const maxComment = 127

// clean makes a name safe within a comment of either tool, quoted or behind #. Names of the class file have no other characters
// anyway, but for those of retired apps, which may be anything: there a quote or an end of line would begin another rule.
func clean(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(" /-_.()+,:@=", c) {
			return c
		}
		return '?'
	}, s)
}

// comment is clean, and cut in its middle to what both tools take: names often differ at their end.
func comment(s string) string {
	s = clean(s)
	if len(s) <= maxComment {
		return s
	}
	const mark = "..."
	half := (maxComment - len(mark)) / 2
	return s[:half] + mark + s[len(s)-half:]
}

// whose says in a comment which team it is, and of which cluster.
func (t Team) whose() string { return comment(t.Cluster + "/" + t.Name) }

// owner says in a comment whose class it is: cluster, team and app.
func (t Team) owner(c Class) string {
	owner := t.Cluster + "/" + t.Name
	if c.App == "" {
		owner += " (team default)"
	} else {
		owner += " app " + c.App
	}
	if c.Retired {
		owner += " (retired)"
	}
	return comment(owner)
}

// hex writes a class ID as in the class file; both tools take it so, and print it decimal.
func hex(id uint32) string { return fmt.Sprintf("0x%08x", id) }

// major is the class ID of which only the upper half counts.
func (t Team) major() string { return hex(uint32(t.Major) << 16) }

// prefix is what logs of a class begin with. LOG takes 29 bytes (linux/netfilter/xt_LOG.h).
func prefix(id uint32) string { return "class=" + hex(id) + " " }
