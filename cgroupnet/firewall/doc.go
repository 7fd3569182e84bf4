// Package firewall writes rules that go by network class as text, for nft(8) and for iptables-restore(8): who sends how much, packet and
// connection marks, logs of new connections, and addresses that a team may not reach, or may only reach.
//
// The package touches no firewall. It takes plain values and writes text, so it works on any system; what it writes is loaded by
// people and their tools. A text is complete: it has an nft table, or iptables chains, of its own, which loading it replaces in
// one step. So loading it twice is loading it once, other rules stay as they are, and removing it leaves nothing behind. Its first
// lines say how.
//
// # What the rules see
//
// The class of a packet is that of the socket that sends it, and only in the network namespace of the socket: in the host's for
// containers on the host's network, and in the container's own for those on a bridge. Received packets have none. So all
// rules are for locally generated packets (hook output, chain OUTPUT) and never for forwarded ones. The kernel sends some packets from no
// socket of the class, such as resets; nft sees the class of a SYN-ACK, iptables does not (xt_cgroup.c wants a full socket,
// nft_meta.c asks the listener of a request socket).
//
// # Marks
//
// The mark of a packet is the class of its sender, the mark of a connection that of its initiator, if that is local. Neither
// replaces a mark that something else has set.
//
// # Nothing is refused unasked
//
// Without addresses to drop or to allow no rule has a verdict that ends a packet, so that a text that is loaded by mistake cuts nothing off. With
// them, packets without a class, those of other teams and those of connections that are open or were opened from
// outside pass all the same. No rule accepts: what another table or chain refuses stays refused.
//
// # Cost
//
// nft finds the class in a hash, whatever their number. iptables has no sets or masks of classes, hence one rule for each, and every packet
// of a class walks past those before its own.
package firewall
