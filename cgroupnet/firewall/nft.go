package firewall

import (
	"fmt"
	"net/netip"
)

// nft writes the table. It is declared, deleted and made anew in one transaction, so that it need not be there, and no packet passes
// between the old and the new one.
func (r Rules) nft(out *text) {
	table := "inet mde-" + r.Name
	r.header(out, NFT, []string{
		"Load:    nft -f FILE                        replaces what was loaded before",
		fmt.Sprintf("See:     nft list table %s", table),
		fmt.Sprintf("Remove:  nft delete table %s", table),
	})
	out.line("table %s", table)
	out.line("delete table %s", table)
	out.line("table %s {", table)
	r.nftSets(out)
	if r.logs() {
		r.nftLogs(out)
	}
	if r.refuses() {
		r.nftTo(out)
	}
	r.nftOutput(out)
	out.line("}")
}

func (r Rules) nftSets(out *text) {
	counter := func() {
		if r.Count {
			out.line("\t\tcounter")
		}
	}
	if r.Whole {
		out.line("\t# Whole teams, by the upper half of the class.")
		out.line("\tset teams {")
		out.line("\t\ttypeof meta cgroup")
		counter()
		out.line("\t\telements = {")
		for _, t := range r.Teams {
			out.line("\t\t\t%s comment \"%s\",", t.major(), t.whose())
		}
		out.line("\t\t}")
		out.line("\t}")
		out.line("")
	}
	if !r.Count && r.Whole {
		return
	}
	out.line("\tset classes {")
	out.line("\t\ttypeof meta cgroup")
	counter()
	out.line("\t\telements = {")
	for _, t := range r.Teams {
		for _, c := range t.Classes {
			out.line("\t\t\t%s comment \"%s\",", hex(c.ID), t.owner(c))
		}
	}
	out.line("\t\t}")
	out.line("\t}")
	out.line("")
}

// nftLogs writes a chain for each class: the prefix of a log statement is constant.
func (r Rules) nftLogs(out *text) {
	for _, t := range r.Teams {
		for _, c := range t.Classes {
			out.line("\tchain log-%08x { # %s", c.ID, t.owner(c))
			if r.Log {
				out.line("\t\tlimit rate 10/second log prefix \"%s\"", prefix(c.ID))
			}
			if r.NFLog {
				out.line("\t\tlog prefix \"%s\" group %d snaplen 64 queue-threshold 64", prefix(c.ID), r.Group)
			}
			out.line("\t}")
		}
	}
	out.line("")
	out.line("\tmap logs {")
	out.line("\t\ttypeof meta cgroup : verdict")
	out.line("\t\telements = {")
	for _, t := range r.Teams {
		for _, c := range t.Classes {
			out.line("\t\t\t%s : jump log-%08x,", hex(c.ID), c.ID)
		}
	}
	out.line("\t\t}")
	out.line("\t}")
	out.line("")
}

// nftTo writes the chain that decides by address.
func (r Rules) nftTo(out *text) {
	verdict := "drop"
	if r.Reject {
		verdict = "reject"
	}
	for _, list := range []struct {
		name string
		nets []netip.Prefix
	}{{"drop", r.DropTo}, {"allow", r.AllowTo}} {
		v4, v6 := split(list.nets)
		r.nftNetworks(out, list.name+"4", "ipv4_addr", v4)
		r.nftNetworks(out, list.name+"6", "ipv6_addr", v6)
	}
	rule := func(family, name string, nets []netip.Prefix, verdict string) {
		if len(nets) > 0 {
			out.line("\t\t%s daddr @%s counter %s", family, name, verdict)
		}
	}
	out.line("\tchain to {")
	v4, v6 := split(r.DropTo)
	rule("ip", "drop4", v4, verdict)
	rule("ip6", "drop6", v6, verdict)
	if len(r.AllowTo) > 0 {
		v4, v6 = split(r.AllowTo)
		rule("ip", "allow4", v4, "return")
		rule("ip6", "allow6", v6, "return")
		out.line("\t\tcounter %s comment \"not in the list of what is allowed\"", verdict)
	}
	out.line("\t}")
	out.line("")
}

func (r Rules) nftNetworks(out *text, name, kind string, nets []netip.Prefix) {
	if len(nets) == 0 {
		return
	}
	out.line("\tset %s {", name)
	out.line("\t\ttype %s", kind)
	out.line("\t\tflags interval")
	out.line("\t\tauto-merge")
	out.line("\t\telements = { %s }", joined(nets))
	out.line("\t}")
	out.line("")
}

// nftOutput writes the base chain. It runs before the chains at priority 0 ("filter"), iptables' among them, so that these see the marks, and
// after the translation of addresses at -100 ("dstnat"), so that it judges the address to which the packet really goes. A packet
// from no socket has no class: each rule with a match or statement on it ends for it there (nft_meta.c, NFT_BREAK).
//
// A set's counters count each time that a rule finds an element in it, so that one rule does, and "!=", which does not count
// what it finds, keeps out the others.
func (r Rules) nftOutput(out *text) {
	mine, all := "meta cgroup", "classes"
	if r.Whole {
		mine, all = "meta cgroup & 0xffff0000", "teams"
	}
	out.line("\tchain output {")
	out.line("\t\ttype filter hook output priority filter - 5; policy accept;")
	out.line("\t\t%s != @%s return # of others, or of no class", mine, all)
	if r.Count {
		if r.Whole {
			out.line("\t\tmeta cgroup & 0xffff0000 @teams # counts")
		}
		out.line("\t\tmeta cgroup @classes # counts")
	}
	if r.Mark {
		out.line("\t\tmeta mark 0 meta mark set meta cgroup # the sender's class")
	}
	if r.perConnection() {
		out.line("\t\tct state established,related return")
		out.line("\t\ttcp flags & (fin | syn | rst | ack) != syn return # of a connection older than this table")
	}
	if r.CTMark {
		out.line("\t\tct mark 0 ct mark set meta cgroup # the initiator's class")
	}
	if r.logs() {
		out.line("\t\tmeta cgroup vmap @logs")
	}
	if r.refuses() {
		out.line("\t\tmeta cgroup != 0 jump to")
	} else {
		r.nftExamples(out)
	}
	out.line("\t}")
}

// nftExamples shows rules that refuse, as comments.
func (r Rules) nftExamples(out *text) {
	t, c := r.example()
	out.line("")
	out.line("\t\t# Examples, not in force; --drop-to and --allow-to print rules for whole teams or apps.")
	out.line("\t\t# Connections that are open count as new where nothing used conntrack before. An app not to a network:")
	out.line("\t\t#meta cgroup %s ct state new ip daddr 192.0.2.0/24 counter drop comment \"%s\"", hex(c.ID), t.owner(c))
	out.line("\t\t# A team only to a network and port, and to its DNS server; IPv6 not at all:")
	out.line("\t\t#meta cgroup & 0xffff0000 == %s ip daddr 192.0.2.0/24 tcp dport 5432 accept", t.major())
	out.line("\t\t#meta cgroup & 0xffff0000 == %s ip daddr 192.0.2.53 meta l4proto { tcp, udp } th dport 53 accept", t.major())
	out.line("\t\t#meta cgroup & 0xffff0000 == %s ct state new counter reject comment \"%s\"", t.major(), t.whose())
}

// example picks an app for examples, or a default class if there is none.
func (r Rules) example() (Team, Class) {
	var team Team
	var class Class
	for _, t := range r.Teams {
		for _, c := range t.Classes {
			if class.ID == 0 || class.App == "" && c.App != "" && !c.Retired {
				team, class = t, c
			}
		}
	}
	return team, class
}
