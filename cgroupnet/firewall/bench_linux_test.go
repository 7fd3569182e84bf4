package firewall

import (
	"net"
	"strconv"
	"testing"
)

// BenchmarkDatagram is the CPU time that a datagram over loopback takes, by the rules that it passes: those of 10,000 classes, or of one team
// of 500, with its own at the beginning, in the middle or at the end of the text.
func BenchmarkDatagram(b *testing.B) {
	many, team := counting(), counting()
	many.Teams, team.Teams = manyTeams(), manyTeams()[:1]
	first, middle, last := uint32(0x00100100), uint32(0x001a0100), uint32(0x00230100+499)
	for _, test := range []struct {
		name   string
		rules  Rules
		format Format
		class  uint32
	}{
		{"none", many, "", first}, {"nft/last of 10000", many, NFT, last},
		{"iptables/no class", many, IPTables, 0}, {"iptables/first of 10000", many, IPTables, first},
		{"iptables/last of 500", team, IPTables, 0x00100100 + 499},
		{"iptables/middle of 10000", many, IPTables, middle}, {"iptables/last of 10000", many, IPTables, last},
	} {
		b.Run(test.name, func(b *testing.B) {
			ownNetwork(b)
			sink, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer sink.Close()
			if test.format != "" {
				load(b, printed(b, test.rules, test.format))
			}
			p := inClass(b, test.class)
			b.ResetTimer()
			took, err := strconv.ParseFloat(p.ask("flood %d %s", b.N, sink.LocalAddr()), 64)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(took, "cpu-ns/packet")
		})
	}
}
