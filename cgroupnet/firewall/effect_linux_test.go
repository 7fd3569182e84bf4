package firewall

import (
	"fmt"
	"strings"
	"testing"
)

// TestCountersOfBothFormatsAgree: loaded at once, they count the same packets of a class that opens connections, and no others.
func TestCountersOfBothFormatsAgree(t *testing.T) {
	ownNetwork(t)
	port := server(t)
	load(t, printed(t, counting(), NFT))
	load(t, printed(t, counting(), IPTables))
	front, kafka, none, other := inClass(t, webFront), inClass(t, dataKafka), inClass(t, 0), inClass(t, 0x00200100)
	for _, p := range []*process{front, front, front, kafka, none, other} {
		for _, address := range []string{"127.0.0.1:" + port, "[::1]:" + port} {
			if answer := p.ask("dial tcp %s", address); answer != "ok" {
				t.Fatal(answer)
			}
		}
	}
	byIPTables := func(id uint32) uint64 {
		rule := fmt.Sprintf("-m cgroup --cgroup %d -j RETURN", id)
		return iptablesRules(t, "iptables", "mde-classes-count")[rule] + iptablesRules(t, "ip6tables", "mde-classes-count")[rule]
	}
	eventually(t, func() (bool, string) {
		nft, teams := nftSet(t, "mde-classes", "classes"), nftSet(t, "mde-classes", "teams")
		says := fmt.Sprintf("classes %v, teams %v, iptables: front %d, kafka %d", nft, teams, byIPTables(webFront), byIPTables(dataKafka))
		return nft[webFront] == byIPTables(webFront) && nft[dataKafka] == byIPTables(dataKafka) &&
			nft[webFront] == 3*nft[dataKafka] && nft[dataKafka] >= 2*4 && // SYN, ACK, data, FIN
			nft[webDefault] == 0 && byIPTables(webDefault) == 0 &&
			teams[0x00100000] == nft[webFront] && teams[0x00110000] == nft[dataKafka], says
	})
}

// TestARetiredOrUnlistedClassIsItsTeams: nft goes by the major, so a class that was given away since is counted to its team.
func TestARetiredOrUnlistedClassIsItsTeams(t *testing.T) {
	ownNetwork(t)
	port := server(t)
	r := counting()
	r.DropTo = nets("127.0.0.2/32")
	r.Reject = true
	load(t, printed(t, r, NFT))
	for _, id := range []uint32{webCart, 0x00100abc} {
		p := inClass(t, id)
		if answer := p.ask("dial tcp 127.0.0.1:%s", port); answer != "ok" {
			t.Error(answer)
		}
		if answer := p.ask("dial tcp 127.0.0.2:%s", port); answer != "refused" {
			t.Error(answer)
		}
	}
	if classes, teams := nftSet(t, "mde-classes", "classes"), nftSet(t, "mde-classes", "teams"); classes[webCart] == 0 || teams[0x00100000] <= classes[webCart] {
		t.Errorf("%v %v", classes, teams)
	}
}

// refusedTo are the packets that the rules for one address, "" for the rest, refused.
func refusedTo(t *testing.T, f Format, list string) uint64 {
	t.Helper()
	if f == NFT {
		rules := nftRules(t, "mde-classes", "to")
		if list == "" {
			return rules["not in the list of what is allowed"]
		}
		return rules["ip daddr @drop4 drop"] + rules["ip daddr @drop4 reject"]
	}
	rules := iptablesRules(t, "iptables", "mde-classes-to")
	for rule, n := range rules {
		if strings.HasPrefix(rule, "-j DROP") && list == "" || strings.HasPrefix(rule, "-d "+list+" ") {
			return n
		}
	}
	t.Fatalf("no such rule: %v", rules)
	return 0
}

func TestDroppedAreTheChosenClassesAndAddressesOnly(t *testing.T) {
	for _, f := range []Format{NFT, IPTables} {
		t.Run(string(f), func(t *testing.T) {
			ownNetwork(t)
			port := server(t)
			front, kafka := inClass(t, webFront), inClass(t, dataKafka)
			if answer := front.ask("hold tcp 127.0.0.2:%s", port); answer != "ok" {
				t.Fatal(answer)
			}
			r := counting()
			r.Teams = r.Teams[:1]
			r.DropTo = nets("127.0.0.2/32")
			remove := load(t, printed(t, r, f))
			for _, test := range []struct {
				process *process
				address string
				want    string
			}{
				{front, "127.0.0.1", "ok"},
				{front, "127.0.0.2", "no answer"},
				{kafka, "127.0.0.2", "ok"},
				{inClass(t, 0), "127.0.0.2", "ok"},
			} {
				verb := "dial"
				if test.want != "ok" {
					verb = "try"
				}
				if answer := test.process.ask("%s tcp %s:%s", verb, test.address, port); answer != test.want {
					t.Errorf("%s: %s", test.address, answer)
				}
			}
			if n := refusedTo(t, f, "127.0.0.2/32"); n == 0 {
				t.Error("the rule refused nothing")
			}
			if answer := front.ask("datagram 127.0.0.2:%s", port); answer != "not permitted" {
				t.Errorf("a datagram: %s", answer)
			}
			if answer := front.ask("send"); answer != "ok" {
				t.Errorf("on the connection that was open: %s", answer)
			}
			remove()
			if answer := front.ask("dial tcp 127.0.0.2:%s", port); answer != "ok" {
				t.Errorf("after the rules were removed: %s", answer)
			}
		})
	}
}

// TestAllowedAreTheListedAddressesOnly: and answers to those who come from elsewhere, also where only IPv4 is listed.
func TestAllowedAreTheListedAddressesOnly(t *testing.T) {
	for _, f := range []Format{NFT, IPTables} {
		t.Run(string(f), func(t *testing.T) {
			ownNetwork(t)
			port := server(t)
			r := counting()
			r.Teams = r.Teams[:1]
			r.AllowTo = nets("127.0.0.4/30")
			r.Reject = true
			load(t, printed(t, r, f))
			front, kafka := inClass(t, webFront), inClass(t, dataKafka)
			for _, test := range []struct{ address, want string }{
				{"127.0.0.4", "ok"}, {"127.0.0.7", "ok"}, {"127.0.0.8", "refused"}, {"127.0.0.1", "refused"}, {"[::1]", "refused"},
			} {
				if answer := front.ask("dial tcp %s:%s", test.address, port); answer != test.want {
					t.Errorf("%s: %s", test.address, answer)
				}
				if answer := kafka.ask("dial tcp %s:%s", test.address, port); answer != "ok" {
					t.Errorf("%s, another team: %s", test.address, answer)
				}
			}
			if answer := kafka.ask("dial tcp %s", front.ask("listen")); answer != "ok" {
				t.Errorf("a connection from outside: %s", answer)
			}
		})
	}
}

func TestRulesForOneAppLeaveItsTeamAlone(t *testing.T) {
	for _, f := range []Format{NFT, IPTables} {
		t.Run(string(f), func(t *testing.T) {
			ownNetwork(t)
			port := server(t)
			r := counting()
			r.Whole, r.Reject, r.DropTo = false, true, nets("127.0.0.2/32")
			r.Teams = []Team{{Cluster: "gra1", Name: "web", Major: 0x0010, Classes: r.Teams[0].Classes[1:2]}}
			load(t, printed(t, r, f))
			for id, want := range map[uint32]string{webFront: "refused", webDefault: "ok", webCart: "ok"} {
				if answer := inClass(t, id).ask("dial tcp 127.0.0.2:%s", port); answer != want {
					t.Errorf("%s: %s", hex(id), answer)
				}
			}
		})
	}
}

// TestMarks: the mark of packets is the class of their sender, that of connections the class of their initiator, and neither
// replaces another's.
func TestMarks(t *testing.T) {
	const probes = `table inet probe {
	chain late {
		type filter hook output priority 100;
		meta mark 0x00100100 counter comment "sent by front"
		meta mark 0x00110100 counter comment "sent by kafka"
		ct mark 0x00100100 ct direction original counter comment "opened by front"
		ct mark 0x00100100 ct direction reply counter comment "answered to front"
		ct mark 0x00110100 counter comment "of kafka's connections"
		tcp flags & (syn|ack) == (syn|ack) meta mark 0x00110100 counter comment "SYN-ACK of kafka"
		meta mark 7 counter comment "marked before"
	}
	chain early {
		type filter hook output priority -200;
		tcp dport 9 meta mark set 7
	}
}`
	for _, f := range []Format{NFT, IPTables} {
		t.Run(string(f), func(t *testing.T) {
			ownNetwork(t)
			r := counting()
			r.Mark, r.CTMark = true, true
			load(t, printed(t, r, f))
			run(t, probes, "nft", "-f", "-")
			front, kafka := inClass(t, webFront), inClass(t, dataKafka)
			if answer := front.ask("dial tcp %s", kafka.ask("listen")); answer != "ok" {
				t.Fatal(answer)
			}
			if answer := front.ask("dial tcp 127.0.0.1:9"); answer != "refused" { // nobody listens
				t.Fatal(answer)
			}
			probe := nftRules(t, "probe", "late")
			for _, name := range []string{"sent by front", "sent by kafka", "opened by front", "answered to front", "marked before"} {
				if probe[name] == 0 {
					t.Errorf("no packet was %s", name)
				}
			}
			if probe["of kafka's connections"] > 0 {
				t.Error("a connection has the mark of who answered")
			}
			// iptables cannot see whose a SYN-ACK is.
			if seen := probe["SYN-ACK of kafka"] > 0; seen != (f == NFT) {
				t.Errorf("%v", probe)
			}
		})
	}
}

// TestExamplesWork: the lines behind # are rules.
func TestExamplesWork(t *testing.T) {
	for _, f := range []Format{NFT, IPTables} {
		t.Run(string(f), func(t *testing.T) {
			ownNetwork(t)
			var lines []string
			examples := 0
			for line := range strings.Lines(printed(t, counting(), f)) {
				for _, begins := range []string{"\t\t#meta ", "#-4 -A ", "#-A "} {
					if strings.HasPrefix(line, begins) {
						line = strings.Replace(line, "#", "", 1)
						examples++
					}
				}
				lines = append(lines, line)
			}
			if examples != 4 {
				t.Fatalf("%d examples", examples)
			}
			load(t, strings.Join(lines, ""))
			run(t, "", "ip", "address", "add", "192.0.2.9/24", "dev", "lo")
			port := server(t)
			for id, want := range map[uint32]string{webFront: "refused", dataKafka: "ok"} {
				if answer := inClass(t, id).ask("dial tcp 127.0.0.1:%s", port); answer != want {
					t.Errorf("%s: %s", hex(id), answer)
				}
			}
			if answer := inClass(t, webFront).ask("try tcp 192.0.2.9:5432"); answer != "no answer" {
				t.Errorf("dropped: %s", answer)
			}
		})
	}
}
