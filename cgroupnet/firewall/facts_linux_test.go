package firewall

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mesos-docker-executor/cgroupnet"
)

// What follows is what docs/firewall.md says of the kernel.

// TestWhoSeesASynAck: nft its class; iptables neither this class, nor another, nor none.
func TestWhoSeesASynAck(t *testing.T) {
	ownNetwork(t)
	kafka := inClass(t, dataKafka)
	run(t, `table inet probe { chain c { type filter hook output priority 0
	tcp flags & (syn|ack) == (syn|ack) meta cgroup 0x00110100 counter comment "class"
	tcp flags & (syn|ack) == (syn|ack) counter comment "all"
}; }`, "nft", "-f", "-")
	for _, match := range [][]string{{"--cgroup", "0x00110100"}, {"!", "--cgroup", "0x00110100"}, {"--cgroup", "0"}} {
		run(t, "", "iptables", append([]string{"-A", "OUTPUT", "-p", "tcp", "--tcp-flags", "SYN,ACK", "SYN,ACK", "-m", "cgroup"}, match...)...)
	}
	address := kafka.ask("listen")
	for range 10 {
		if answer := inClass(t, 0).ask("dial tcp %s", address); answer != "ok" {
			t.Fatal(answer)
		}
	}
	if got := nftRules(t, "probe", "c"); got["class"] != 10 || got["all"] != 10 {
		t.Errorf("nft: %v", got)
	}
	rules := iptablesRules(t, "iptables", "OUTPUT")
	if len(rules) != 3 {
		t.Errorf("iptables: %v", rules)
	}
	for rule, n := range rules {
		if n != 0 {
			t.Errorf("iptables: %d packets of %s", n, rule)
		}
	}
}

// TestTheKernelsOwnPacketsHaveNoClass: a reset is sent from a socket of the kernel's.
func TestTheKernelsOwnPacketsHaveNoClass(t *testing.T) {
	ownNetwork(t)
	front := inClass(t, webFront)
	run(t, "", "iptables", "-A", "OUTPUT", "-p", "tcp", "--tcp-flags", "RST", "RST", "-m", "cgroup", "--cgroup", "0")
	run(t, `table inet probe { chain c { type filter hook output priority 0; tcp flags & rst == rst meta cgroup 0 counter comment "none"; }; }`, "nft", "-f", "-")
	if answer := front.ask("dial tcp 127.0.0.1:9"); answer != "refused" {
		t.Fatal(answer)
	}
	if got := nftRules(t, "probe", "c"); got["none"] != 1 {
		t.Errorf("nft: %v", got)
	}
	rules := iptablesRules(t, "iptables", "OUTPUT")
	if len(rules) != 1 {
		t.Errorf("iptables: %v", rules)
	}
	for rule, n := range rules {
		if n != 1 {
			t.Errorf("iptables: %d packets of %s", n, rule)
		}
	}
}

// TestOnlyRulesForConnectionsStartConntrack: a host that had none is not given one by counters and packet marks.
func TestOnlyRulesForConnectionsStartConntrack(t *testing.T) {
	for _, f := range []Format{NFT, IPTables} {
		t.Run(string(f), func(t *testing.T) {
			ownNetwork(t)
			front := inClass(t, webFront)
			r := counting()
			r.Mark = true
			for _, r.CTMark = range []bool{false, true} {
				load(t, printed(t, r, f))
				if answer := front.ask("datagram 127.0.0.1:9"); answer != "ok" {
					t.Fatal(answer)
				}
				if n := strings.TrimSpace(run(t, "", "cat", "/proc/sys/net/netfilter/nf_conntrack_count")); (n != "0") != r.CTMark {
					t.Errorf("%s connections, with rules for them: %v", n, r.CTMark)
				}
			}
		})
	}
}

// TestReceivedPacketsHaveNoClassOfTheirSender: on loopback, where the sender is of the same namespace.
func TestReceivedPacketsHaveNoClassOfTheirSender(t *testing.T) {
	ownNetwork(t)
	port := server(t)
	run(t, `table inet probe { chain c { type filter hook input priority 0
	meta cgroup 0x00100100 counter comment "class"
	tcp flags & (syn|ack) == syn counter comment "SYN"
}; }`, "nft", "-f", "-")
	if answer := inClass(t, webFront).ask("dial tcp 127.0.0.1:%s", port); answer != "ok" {
		t.Fatal(answer)
	}
	if got := nftRules(t, "probe", "c"); got["class"] != 0 || got["SYN"] != 1 {
		t.Errorf("%v", got)
	}
}

// TestPacketsOfNoSocketAreNotRefused: the kernel's IGMP has none, so no class either, not even 0.
func TestPacketsOfNoSocketAreNotRefused(t *testing.T) {
	for _, f := range []Format{NFT, IPTables} {
		t.Run(string(f), func(t *testing.T) {
			hostNetwork(t)
			r := everything()
			r.AllowTo = nets("127.0.0.0/8")
			load(t, printed(t, r, f))
			run(t, `table inet probe { chain c { type filter hook postrouting priority 0
	ip protocol igmp counter comment "all"
	ip protocol igmp meta cgroup >= 0 counter comment "of a socket"
}; }`, "nft", "-f", "-")
			eth0, err := net.InterfaceByName("eth0")
			if err != nil {
				t.Fatal(err)
			}
			group, err := net.ListenMulticastUDP("udp4", eth0, &net.UDPAddr{IP: net.IPv4(239, 1, 1, 1), Port: 9})
			if err != nil {
				t.Fatal(err)
			}
			defer group.Close()
			eventually(t, func() (bool, string) {
				got := nftRules(t, "probe", "c")
				return got["all"] > 0 && got["of a socket"] == 0, fmt.Sprint(got)
			})
		})
	}
}

// TestTheHostDoesNotSeeTheClassOfABridgedContainer: only the container's own namespace does, where the printed rules work.
func TestTheHostDoesNotSeeTheClassOfABridgedContainer(t *testing.T) {
	ownNetwork(t)
	container := exec.Command("sleep", "1000")
	container.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := container.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = container.Process.Kill()
		_ = container.Wait()
	})
	namespace := fmt.Sprintf("/proc/%d/ns/net", container.Process.Pid)
	run(t, "", "sh", "-ec", strings.ReplaceAll(`
		ip link add veth0 type veth peer name eth0 netns PID
		ip link add out type veth peer name far
		ip address add 10.1.0.1/24 dev veth0
		ip address add 192.0.2.1/24 dev out
		ip link set veth0 up
		ip link set out up
		ip link set far up
		ip neighbour add 192.0.2.2 lladdr 02:00:00:00:00:02 dev out
		echo 1 >/proc/sys/net/ipv4/ip_forward
		nsenter --net=/proc/PID/ns/net sh -ec "ip link set lo up; ip link set eth0 up; ip address add 10.1.0.2/24 dev eth0; ip route add default via 10.1.0.1"`,
		"PID", strconv.Itoa(container.Process.Pid)))
	run(t, `table inet probe {
	chain pre { type filter hook prerouting priority -300
		meta cgroup != 0 counter comment "class"
		udp dport 9 counter comment "all"
	}
	chain forwarded { type filter hook forward priority 0
		meta cgroup != 0 counter comment "class"
		udp dport 9 counter comment "all"
	}
}
table netdev probe {
	chain c { type filter hook ingress device "veth0" priority 0; meta cgroup != 0 counter comment "class"; }
}`, "nft", "-f", "-")
	class := []string{"-m", "cgroup", "--cgroup", hex(webFront)}
	run(t, "", "iptables", append([]string{"-t", "mangle", "-A", "POSTROUTING"}, class...)...)
	for chain, table := range map[string]string{"FORWARD": "filter", "PREROUTING": "raw"} {
		if err := exec.Command("iptables", append([]string{"-t", table, "-A", chain}, class...)...).Run(); err == nil {
			t.Errorf("iptables takes the class in %s", chain)
		}
	}
	r := counting()
	r.DropTo = nets("192.0.2.128/25")
	file := filepath.Join(t.TempDir(), "rules.nft")
	if err := os.WriteFile(file, []byte(printed(t, r, NFT)), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "", "nsenter", "--net="+namespace, "nft", "-f", file)

	front := inClass(t, webFront)
	if answer := front.ask("enter %s", namespace); answer != "ok" {
		t.Fatal(answer)
	}
	for range 10 {
		if answer := front.ask("datagram 192.0.2.2:9"); answer != "ok" {
			t.Fatal(answer)
		}
	}
	if answer := front.ask("datagram 192.0.2.129:9"); answer != "not permitted" {
		t.Errorf("in the container's namespace: %s", answer)
	}
	eventually(t, func() (bool, string) {
		got := nftRules(t, "probe", "forwarded")
		return got["all"] == 10, fmt.Sprint(got)
	})
	for _, chain := range []string{"pre", "forwarded"} {
		if got := nftRules(t, "probe", chain); got["class"] != 0 || got["all"] != 10 {
			t.Errorf("%s: %v", chain, got)
		}
	}
	if out := run(t, "", "nft", "list", "table", "netdev", "probe"); !strings.Contains(out, "counter packets 0 ") {
		t.Error(out)
	}
	rules := iptablesRules(t, "iptables", "POSTROUTING")
	if n, there := rules["-m cgroup --cgroup 1048832"]; !there || n != 0 {
		t.Errorf("POSTROUTING: %v", rules)
	}
	if out := run(t, "", "nsenter", "--net="+namespace, "nft", "list", "set", "inet", "mde-classes", "classes"); !strings.Contains(out, "1048832 counter packets 11 ") {
		t.Errorf("in the container's namespace: %s", out)
	}
}

// TestRulesByCgroupPathEndWithTheFolder: they hold the cgroup, and not its name, which is why rules go by class.
func TestRulesByCgroupPathEndWithTheFolder(t *testing.T) {
	ownNetwork(t)
	hs, err := cgroupnet.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(hs, func(h cgroupnet.Hierarchy) bool { return h.Unified })
	if at < 0 {
		t.Fatal("no cgroup v2 hierarchy is mounted")
	}
	name := fmt.Sprintf("mesos-docker-executor-test-%d", os.Getpid())
	folder := hs[at].Folder("/" + name)
	t.Cleanup(func() { _ = os.Remove(folder) }) // only a test that failed has left it
	send := func() {
		t.Helper()
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		p := inClass(t, webFront)
		if err := os.WriteFile(filepath.Join(folder, "cgroup.procs"), []byte(strconv.Itoa(p.pid)), 0); err != nil {
			t.Fatal(err)
		}
		if len(iptablesRules(t, "iptables", "OUTPUT")) == 0 {
			run(t, "", "iptables", "-A", "OUTPUT", "-m", "cgroup", "--path", name)
			load(t, printed(t, counting(), NFT))
		}
		if answer := p.ask("datagram 127.0.0.1:9"); answer != "ok" {
			t.Fatal(answer)
		}
		p.end()
		eventually(t, func() (bool, string) {
			err := os.Remove(folder)
			return err == nil, fmt.Sprint(err)
		})
	}
	for n := range uint64(3) {
		send()
		for rule, packets := range iptablesRules(t, "iptables", "OUTPUT") {
			if packets != 1 {
				t.Errorf("folder %d: %d packets of %s", n+1, packets, rule)
			}
		}
		if packets := nftSet(t, "mde-classes", "classes")[webFront]; packets != n+1 {
			t.Errorf("folder %d: %d packets of the class", n+1, packets)
		}
	}
}

// TestSpellingsOfAClass: both tools take hexadecimal and decimal, and neither tc's form.
func TestSpellingsOfAClass(t *testing.T) {
	ownNetwork(t)
	run(t, "table inet probe { chain c { type filter hook output priority 0; }; }", "nft", "-f", "-")
	for spelling, want := range map[string]bool{"0x00100001": true, "1048577": true, "10:1": false, "0010:0001": false} {
		iptables := exec.Command("iptables", "-A", "OUTPUT", "-m", "cgroup", "--cgroup", spelling)
		nft := exec.Command("nft", "add", "rule", "inet", "probe", "c", "meta", "cgroup", spelling)
		for _, cmd := range []*exec.Cmd{iptables, nft} {
			if err := cmd.Run(); (err == nil) != want {
				t.Errorf("%s: %v", strings.Join(cmd.Args, " "), err)
			}
		}
	}
	for rule := range iptablesRules(t, "iptables", "OUTPUT") {
		if rule != "-m cgroup --cgroup 1048577" {
			t.Errorf("iptables shows %s", rule)
		}
	}
}
