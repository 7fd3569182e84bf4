package firewall

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
)

// Format is the tool that a text is for.
type Format string

const (
	// NFT is for `nft -f`: kernel 5.7 or newer and nft 0.9.5 or newer, for counters in sets.
	NFT Format = "nft"
	// IPTables is for `iptables-restore --noflush` and, the same text, `ip6tables-restore --noflush`.
	IPTables Format = "iptables"
)

// Class is a network class and whose it is.
type Class struct {
	ID uint32
	// App is the name of the app, "" for the team's default class.
	App string
	// Retired: no new task gets the class; those that still run keep it.
	Retired bool
}

// Team is a team in one cluster.
type Team struct {
	Cluster, Name string
	Major         uint16 // upper half of its classes
	Classes       []Class
}

// Rules says what rules to write: some of Count, Mark, CTMark, Log and NFLog, or addresses, have to be chosen.
type Rules struct {
	// Name tells texts apart that are to be loaded side by side: loading one replaces what was loaded under its name. 1 to 12 lower-case
	// letters and digits.
	Name string
	// Source says in the first line where the classes are from.
	Source string
	// Teams in the order in which they are written, with their classes.
	Teams []Team
	// Whole says that rules are for all of a team. nft then matches the major, and so also classes that are given to apps
	// later; iptables cannot, and has those that are listed.
	Whole bool

	// Count counts the packets and bytes of each class, with nft also of each team.
	Count bool
	// Mark gives packets the class of their sender as mark.
	Mark bool
	// CTMark gives new connections the class of their initiator as mark.
	CTMark bool
	// Log writes new connections to the kernel log, at most ten a second and class.
	Log bool
	// NFLog sends the first 64 bytes of packets that open connections to the netlink group Group, with a prefix that names the class.
	NFLog bool
	Group uint16

	// DropTo are addresses to which no connection may be opened. They come before AllowTo.
	DropTo []netip.Prefix
	// AllowTo, unless empty, are the only ones to which connections may be opened, of IPv4 and IPv6.
	AllowTo []netip.Prefix
	// Reject refuses with an ICMP port unreachable, which a local connect(2) sees at once as ECONNREFUSED, instead of dropping.
	Reject bool
}

// maxName leaves room for "mde-" and a suffix in the 28 bytes of the name of an iptables chain (XT_EXTENSION_MAXNAMELEN, linux/netfilter/x_tables.h).
const maxName = 12

func (r Rules) check() error {
	if r.Name == "" || len(r.Name) > maxName || strings.Trim(r.Name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return fmt.Errorf("name %q: 1 to %d lower-case letters and digits are allowed", r.Name, maxName)
	}
	if len(r.Teams) == 0 {
		return errors.New("there is no team to write rules for")
	}
	if !r.Count && !r.Mark && !r.perConnection() {
		return errors.New("there is nothing to write: neither rules nor addresses are chosen")
	}
	seen := map[uint32]bool{}
	for _, t := range r.Teams {
		for _, c := range t.Classes {
			if c.ID>>16 != uint32(t.Major) || c.ID&0xffff == 0 {
				return fmt.Errorf("class 0x%08x is none of team %s, whose major is 0x%04x", c.ID, clean(t.Name), t.Major)
			}
			if seen[c.ID] { // nft would take it for one, and iptables count nothing for the second
				return fmt.Errorf("class 0x%08x is there twice", c.ID)
			}
			seen[c.ID] = true
		}
	}
	if len(seen) == 0 {
		return errors.New("the teams have no classes to write rules for")
	}
	for _, p := range append(append([]netip.Prefix(nil), r.DropTo...), r.AllowTo...) {
		if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() || p.Addr().Zone() != "" {
			return fmt.Errorf("%s is no IPv4 or IPv6 network", p)
		}
	}
	return nil
}

// perConnection reports whether there are rules for packets that open a connection.
func (r Rules) perConnection() bool {
	return r.CTMark || r.logs() || r.refuses()
}

func (r Rules) logs() bool { return r.Log || r.NFLog }

func (r Rules) refuses() bool { return len(r.DropTo)+len(r.AllowTo) > 0 }

// Print writes the rules. An error says what is wrong with r, and nothing is written then; or it is that of w.
func (r Rules) Print(w io.Writer, f Format) error {
	if err := r.check(); err != nil {
		return err
	}
	out := &text{Writer: bufio.NewWriter(w)}
	switch f {
	case NFT:
		r.nft(out)
	case IPTables:
		r.iptables(out)
	default:
		return fmt.Errorf("format %q is neither %s nor %s", f, NFT, IPTables)
	}
	return out.Flush()
}

// text is written line by line; the writer keeps the first error until Flush.
type text struct{ *bufio.Writer }

func (t *text) line(format string, args ...any) {
	fmt.Fprintf(t, format, args...)
	t.WriteByte('\n')
}

// split returns the IPv4 and the IPv6 networks of a list.
func split(list []netip.Prefix) (v4, v6 []netip.Prefix) {
	for _, p := range list {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	return v4, v6
}

func joined(list []netip.Prefix) string {
	var words []string
	for _, p := range list {
		words = append(words, p.String())
	}
	return strings.Join(words, ", ")
}
