package classproof

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// counts are numbers of SYNs by the class of the sending socket.
type counts struct {
	all   int
	zero  int // class 0: the sender has none
	own   int // the class of these tests
	other int
}

// Table of nft and chain of iptables; the namespaces belong to the engine of these tests, so that nobody else has the names.
const (
	table = "classproof"
	chain = "CLASSPROOF"
	// prefix is of the names of nft's counters; "all" alone is a word of its language.
	prefix = "syn_"
)

// nftRules counts in a chain of its own. A packet without a socket of this namespace would be in all only.
func nftRules() string {
	const syn = "tcp flags & (fin | syn | rst | ack) == syn"
	return fmt.Sprintf(`
table ip %[1]s {
	counter syn_all {}
	counter syn_zero {}
	counter syn_own {}
	counter syn_other {}
	chain output {
		type filter hook output priority mangle
		%[2]s counter name syn_all
		%[2]s meta cgroup 0 counter name syn_zero
		%[2]s meta cgroup %[3]d counter name syn_own
		%[2]s meta cgroup != { 0, %[3]d } counter name syn_other
	}
}
`, table, syn, class)
}

// iptablesRules are the same for iptables-restore. Rules without a target only count; their comment names them.
func iptablesRules() string {
	return fmt.Sprintf(`
*mangle
:%[1]s - [0:0]
-A OUTPUT -p tcp --syn -j %[1]s
-A %[1]s -m comment --comment all
-A %[1]s -m cgroup --cgroup 0 -m comment --comment zero
-A %[1]s -m cgroup --cgroup %[2]d -m comment --comment own
-A %[1]s -m cgroup ! --cgroup 0 -m cgroup ! --cgroup %[2]d -m comment --comment other
COMMIT
`, chain, class)
}

// loadCounters puts both rule sets into the calling thread's network namespace.
func loadCounters() error {
	_, err := runTool(nftRules(), "nft", "-f", "-")
	if err == nil {
		_, err = runTool(iptablesRules(), "iptables-restore", "-w", "-n")
	}
	return err
}

// removeCounters takes both rule sets out of the calling thread's network namespace.
func removeCounters() error {
	_, nft := runTool("", "nft", "delete", "table", "ip", table)
	_, iptables := runTool(fmt.Sprintf("*mangle\n-D OUTPUT -p tcp --syn -j %[1]s\n-F %[1]s\n-X %[1]s\nCOMMIT\n", chain), "iptables-restore", "-w", "-n")
	return errors.Join(nft, iptables)
}

// readNFT returns nft's counts of the calling thread's network namespace.
func readNFT() (counts, error) {
	text, err := runTool("", "nft", "-j", "list", "counters", "table", "ip", table)
	if err != nil {
		return counts{}, err
	}
	var answer struct {
		NFTables []struct {
			Counter *struct {
				Name    string
				Packets int
			}
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return counts{}, fmt.Errorf("nft's counters: %w", err)
	}
	byName := map[string]int{}
	for _, object := range answer.NFTables {
		if object.Counter != nil {
			byName[strings.TrimPrefix(object.Counter.Name, prefix)] = object.Counter.Packets
		}
	}
	return countsOf(byName)
}

// readIptables returns iptables' counts of the calling thread's network namespace.
func readIptables() (counts, error) {
	text, err := runTool("", "iptables", "-w", "-t", "mangle", "-nvxL", chain)
	if err != nil {
		return counts{}, err
	}
	byName := map[string]int{}
	for line := range strings.Lines(string(text)) {
		before, comment, isRule := strings.Cut(line, "/* ")
		if !isRule {
			continue
		}
		name, _, _ := strings.Cut(comment, " */")
		if byName[name], err = strconv.Atoi(strings.Fields(before)[0]); err != nil {
			return counts{}, fmt.Errorf("iptables' counter %q: %w", line, err)
		}
	}
	return countsOf(byName)
}

func countsOf(byName map[string]int) (counts, error) {
	for _, name := range []string{"all", "zero", "own", "other"} {
		if _, there := byName[name]; !there {
			return counts{}, fmt.Errorf("no counter %q in %v", name, byName)
		}
	}
	return counts{byName["all"], byName["zero"], byName["own"], byName["other"]}, nil
}

// sent is the kernel's own count of the SYNs that were sent in a network namespace since it was made.
type sent struct {
	first int // one for each connect: ActiveOpens in /proc/net/snmp, by tcp_connect in net/ipv4/tcp_output.c
	again int // TCPSynRetrans in /proc/net/netstat, by __tcp_retransmit_skb there; SYN-ACKs are among them, of which loopback loses none
}

// readKernel returns what the kernel has counted in the calling thread's network namespace.
func readKernel() (s sent, err error) {
	if s.first, err = readSNMP("/proc/thread-self/net/snmp", "Tcp:", "ActiveOpens"); err != nil {
		return s, err
	}
	s.again, err = readSNMP("/proc/thread-self/net/netstat", "TcpExt:", "TCPSynRetrans")
	return s, err
}

// readSNMP finds a value in a file of lines in pairs: a line of names and one of values, both beginning with the group.
func readSNMP(file, group, name string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] != group:
		case names == nil:
			names = fields
		default:
			for i, n := range names {
				if n == name && i < len(fields) {
					return strconv.Atoi(fields[i])
				}
			}
		}
	}
	return 0, fmt.Errorf("no %s %s in %s", group, name, file)
}

// runTool runs a program in the calling thread's network namespace and returns its output.
func runTool(stdin, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", cmd, err, bytes.TrimSpace(errOut.Bytes()))
	}
	return out.Bytes(), nil
}
