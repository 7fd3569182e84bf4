package firewall

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// recipes returns the blocks of the page that are to be run, and whether each is for nft.
func recipes(t *testing.T) (blocks map[string]string, nft map[string]bool) {
	t.Helper()
	page, err := os.ReadFile("../../docs/firewall.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks, nft = map[string]string{}, map[string]bool{}
	for _, m := range regexp.MustCompile("(?s)\n<!-- recipe: ([a-z-]+) -->\n```(nft|sh)\n(.*?)```\n").FindAllStringSubmatch(string(page), -1) {
		blocks[m[1]], nft[m[1]] = m[3], m[2] == "nft"
	}
	if n := strings.Count(string(page), "<!-- recipe: "); n != len(blocks) {
		t.Errorf("%d of %d recipes are read", len(blocks), n)
	}
	return blocks, nft
}

// hostNetwork is a network with eth0, 192.0.2.1/24, on which nobody answers.
func hostNetwork(t *testing.T) {
	t.Helper()
	ownNetwork(t)
	run(t, "", "sh", "-ec", `
		ip link add eth0 type veth peer name far
		ip link set eth0 up
		ip link set far up
		ip address add 192.0.2.1/24 dev eth0
		for a in 2 5 53; do ip neighbour add 192.0.2.$a lladdr 02:00:00:00:00:02 dev eth0; done`)
}

// TestRecipesOnThePage runs them, and has the app that they are for, and one of another team, try what they are about.
func TestRecipesOnThePage(t *testing.T) {
	answers := func(t *testing.T, p *process, want string, format string, args ...any) {
		t.Helper()
		if answer := p.ask(format, args...); answer != want {
			t.Errorf("%s: %s instead of %s", fmt.Sprintf(format, args...), answer, want)
		}
	}
	// refusedOnce opens connections until one is refused; there is a bound on how slow a machine is.
	refusedOnce := func(t *testing.T, front, other *process, port string) {
		t.Helper()
		for n := range 5000 {
			if front.ask("dial tcp 127.0.0.1:%s", port) == "refused" {
				if n < 40 {
					t.Errorf("the connection %d is refused", n+1)
				}
				answers(t, other, "ok", "dial tcp 127.0.0.1:%s", port)
				return
			}
		}
		t.Error("no connection is refused")
	}
	shaped := func(class string) func(t *testing.T, front, kafka *process) {
		return func(t *testing.T, front, kafka *process) {
			for range 7 {
				answers(t, front, "ok", "datagram 192.0.2.2:9")
			}
			for line, rest := range tcClasses(t) {
				if strings.HasPrefix(line, class+" ") != strings.Contains(rest, " 7 pkt ") {
					t.Errorf("%s %s", line, rest)
				}
			}
		}
	}
	tries := map[string]struct {
		replace [2]string
		before  func(t *testing.T)
		try     func(t *testing.T, front, kafka *process)
	}{
		"team-by-mark": {
			before: func(t *testing.T) {
				r := counting()
				r.Mark = true
				load(t, printed(t, r, NFT))
			},
			try: func(t *testing.T, front, kafka *process) {
				answers(t, front, "refused", "dial tcp 192.0.2.1:%s", server(t))
				answers(t, kafka, "ok", "dial tcp 192.0.2.1:%s", server(t))
			},
		},
		"incoming": {try: func(t *testing.T, front, kafka *process) {
			run(t, `table inet probe { chain c { type filter hook input priority 0; ct mark 0x00110100 counter comment "kafka"; }; }`, "nft", "-f", "-")
			answers(t, kafka, "127.0.0.1:31001", "listen 127.0.0.1:31001")
			answers(t, front, "ok", "dial tcp 127.0.0.1:31001")
			if got := nftRules(t, "probe", "c"); got["kafka"] < 4 {
				t.Errorf("%v", got)
			}
		}},
		"ports": {try: func(t *testing.T, front, kafka *process) {
			answers(t, front, "no answer", "try tcp 192.0.2.5:5432")
			answers(t, front, "ok", "datagram 192.0.2.53:53")
			answers(t, front, "refused", "dial tcp 192.0.2.5:22")
			answers(t, front, "refused", "dial tcp 127.0.0.1:%s", server(t))
			answers(t, kafka, "no answer", "try tcp 192.0.2.5:22")
		}},
		"rate-nft":      {try: func(t *testing.T, front, kafka *process) { refusedOnce(t, front, kafka, server(t)) }},
		"rate-iptables": {try: func(t *testing.T, front, kafka *process) { refusedOnce(t, front, kafka, server(t)) }},
		"connlimit": {replace: [2]string{"1000", "2"}, try: func(t *testing.T, front, kafka *process) {
			port := server(t)
			answers(t, front, "ok", "hold tcp 127.0.0.1:%s", port)
			answers(t, front, "ok", "hold tcp 127.0.0.1:%s", port)
			answers(t, front, "refused", "dial tcp 127.0.0.1:%s", port)
			answers(t, kafka, "ok", "dial tcp 127.0.0.1:%s", port)
		}},
		"quota-nft": {replace: [2]string{"10000 mbytes", "10 kbytes"}, try: func(t *testing.T, front, kafka *process) {
			answers(t, front, "not permitted", "flood 100000 192.0.2.2:9")
			answers(t, kafka, "ok", "datagram 192.0.2.2:9")
		}},
		"quota-iptables": {replace: [2]string{"10000000000", "10000"}, try: func(t *testing.T, front, kafka *process) {
			answers(t, front, "not permitted", "flood 100000 192.0.2.2:9")
			answers(t, kafka, "ok", "datagram 192.0.2.2:9")
		}},
		"htb":          {try: shaped("1:10")},
		"htb-iptables": {try: shaped("10:100")},
	}
	blocks, nft := recipes(t)
	apply := func(t *testing.T, name, block string) {
		t.Helper()
		if nft[name] {
			run(t, block, "nft", "-f", "-")
		} else if out := run(t, block, "sh", "-e"); out != "" {
			t.Errorf("it says %s", out)
		}
	}
	for name, block := range blocks {
		test, known := tries[name]
		if !known {
			t.Errorf("nobody tries %s", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			hostNetwork(t)
			if test.before != nil {
				test.before(t)
			}
			if test.replace[0] != "" {
				if !strings.Contains(block, test.replace[0]) {
					t.Fatalf("there is no %s", test.replace[0])
				}
				t.Run("as it is", func(t *testing.T) {
					hostNetwork(t)
					apply(t, name, block)
				})
				block = strings.Replace(block, test.replace[0], test.replace[1], 1)
			}
			apply(t, name, block)
			test.try(t, inClass(t, webFront), inClass(t, dataKafka))
		})
	}
	for name := range tries {
		if _, there := blocks[name]; !there {
			t.Errorf("the page has no %s", name)
		}
	}
}

// TestThePortsRecipeLeavesOpenConnectionsAlone: conntrack, which it starts, takes their next packet for one of a new connection.
func TestThePortsRecipeLeavesOpenConnectionsAlone(t *testing.T) {
	hostNetwork(t)
	front := inClass(t, webFront)
	if answer := front.ask("hold tcp 127.0.0.1:%s", server(t)); answer != "ok" {
		t.Fatal(answer)
	}
	blocks, _ := recipes(t)
	run(t, blocks["ports"], "nft", "-f", "-")
	if answer := front.ask("send"); answer != "ok" {
		t.Error(answer)
	}
	if rules := run(t, "", "nft", "list", "chain", "inet", "web-ports", "web"); !strings.Contains(rules, "counter packets 0 ") {
		t.Errorf("a packet of it was refused:\n%s", rules)
	}
}

// tcClasses returns what tc tells of the classes of eth0, each by its ID.
func tcClasses(t *testing.T) map[string]string {
	t.Helper()
	classes := map[string]string{}
	for _, class := range strings.Split(run(t, "", "tc", "-s", "class", "show", "dev", "eth0"), "class htb ")[1:] {
		id, rest, _ := strings.Cut(class, "\n")
		classes[id] = rest
	}
	if len(classes) < 2 {
		t.Fatalf("%d classes", len(classes))
	}
	return classes
}
