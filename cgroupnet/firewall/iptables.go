package firewall

import (
	"fmt"
	"net/netip"
)

// iptables writes chains of the table filter for iptables-restore and ip6tables-restore: each ignores the lines that begin with the
// other's -4 or -6. Declaring a chain of one's own empties it (iptables-restore(8), --noflush). MARK and CONNMARK work in any
// table since their second revision (xt_mark.c, xt_connmark.c name none), and in filter a changed mark does not route the packet again.
//
// The jump from OUTPUT is not in the text: restore can add a rule but not look whether it is there, so that each load would add one more.
func (r Rules) iptables(out *text) {
	main := "mde-" + r.Name
	chains := "'' -count -new -to"
	r.header(out, IPTables, []string{
		"Load:    for t in iptables ip6tables; do",
		fmt.Sprintf("           $t-restore -w --noflush <FILE && { $t -w -C OUTPUT -j %s 2>/dev/null || $t -w -I OUTPUT -j %s; }", main, main),
		"         done",
		"         restore replaces what was loaded before; they act once OUTPUT jumps to them. Without --noflush it would delete all other",
		"         rules of the table filter, the host's own and Docker's.",
		fmt.Sprintf("See:     iptables -vxnL %s-count", main),
		fmt.Sprintf("Remove:  for t in iptables ip6tables; do $t -w -D OUTPUT -j %s", main),
		fmt.Sprintf("           for c in %s; do $t -w -F %s$c; done; for c in %s; do $t -w -X %s$c; done", chains, main, chains, main),
		"         done",
		"iptables matches single classes, not whole teams: load this again when the class file has changed. Each packet of a class passes the",
		"rules of those before it, some 0.1 us each; for more than a few hundred classes use nft, or print single teams.",
	})
	out.line("*filter")
	for _, chain := range []string{"", "-count", "-new", "-to"} {
		out.line(":%s%s - [0:0]", main, chain)
	}
	out.line("-A %s -m cgroup --cgroup 0 -m comment --comment \"of no class\" -j RETURN", main)
	if r.Count || r.Mark {
		out.line("-A %s -j %s-count", main, main)
	}
	if r.perConnection() {
		out.line("-A %s -m conntrack ! --ctstate ESTABLISHED,RELATED -j %s-new", main, main)
		out.line("-A %s-new -p tcp ! --syn -m comment --comment \"of a connection older than the rules\" -j RETURN", main)
	}
	out.line("")
	for _, t := range r.Teams {
		out.line("# %s", t.whose())
		for _, c := range t.Classes {
			r.iptablesClass(out, main, t, c)
		}
	}
	out.line("")
	if r.refuses() {
		r.iptablesTo(out, main)
	} else {
		r.iptablesExamples(out, main)
	}
	out.line("COMMIT")
}

// iptablesClass writes the rules of a class. The class is matched first, so that a rule costs the others that one look.
func (r Rules) iptablesClass(out *text, main string, t Team, c Class) {
	rule := func(chain, rest string, args ...any) {
		out.line("-A %s%s -m cgroup --cgroup %s -m comment --comment \"%s\" %s", main, chain, hex(c.ID), t.owner(c), fmt.Sprintf(rest, args...))
	}
	if r.Mark {
		rule("-count", "-m mark --mark 0 -j MARK --set-xmark %s/0xffffffff", hex(c.ID))
	}
	if r.Count {
		rule("-count", "-j RETURN") // what follows is for other classes
	}
	if r.CTMark {
		rule("-new", "-m connmark --mark 0 -j CONNMARK --set-xmark %s/0xffffffff", hex(c.ID))
	}
	if r.Log {
		rule("-new", "-m limit --limit 10/second -j LOG --log-prefix \"%s\"", prefix(c.ID))
	}
	if r.NFLog {
		rule("-new", "-j NFLOG --nflog-group %d --nflog-prefix \"%s\" --nflog-size 64 --nflog-threshold 64", r.Group, prefix(c.ID))
	}
	if r.refuses() {
		rule("-new", "-g %s-to", main)
	}
}

// iptablesTo writes the chain that decides by address. It is entered with goto, so that its RETURN leaves -new as well.
func (r Rules) iptablesTo(out *text, main string) {
	verdict := "DROP"
	if r.Reject {
		verdict = "REJECT"
	}
	rules := func(list []netip.Prefix, verdict string) {
		v4, v6 := split(list)
		for _, p := range v4 {
			out.line("-4 -A %s-to -d %s -j %s", main, p, verdict)
		}
		for _, p := range v6 {
			out.line("-6 -A %s-to -d %s -j %s", main, p, verdict)
		}
	}
	rules(r.DropTo, verdict)
	if len(r.AllowTo) > 0 {
		rules(r.AllowTo, "RETURN")
		out.line("-A %s-to -m comment --comment \"not in the list of what is allowed\" -j %s", main, verdict)
	}
}

// iptablesExamples shows rules that refuse, as comments.
func (r Rules) iptablesExamples(out *text, main string) {
	t, c := r.example()
	match := fmt.Sprintf("-A %s -m cgroup --cgroup %s -m comment --comment \"%s\"", main, hex(c.ID), t.owner(c))
	out.line("# Examples, not in force; --drop-to and --allow-to print rules for whole teams or apps.")
	out.line("# Connections that are open count as new where nothing used conntrack before. An app not to a network:")
	out.line("#-4 %s -m conntrack --ctstate NEW -d 192.0.2.0/24 -j DROP", match)
	out.line("# It only to a network and port, and to its DNS server; IPv6 not at all:")
	out.line("#-4 %s -d 192.0.2.0/24 -p tcp --dport 5432 -j RETURN", match)
	out.line("#-4 %s -d 192.0.2.53 -p udp --dport 53 -j RETURN", match)
	out.line("#%s -m conntrack --ctstate NEW -j REJECT", match)
}
