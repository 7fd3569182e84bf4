// Package classproof holds the proof that no connection attempt of a container leaves without its network class, on a real engine and
// kernel. There is nothing to import.
//
// What is counted are TCP SYNs, at the hook "output" of the network namespace that the socket is in: there the kernel knows the class
// of the sender, for containers on the host's network and for those on a bridge (a socket of another namespace has no class for
// xt_cgroup and nft's meta cgroup). The counters are in a container's own namespace before its first packet, however busy the machine is:
// runc makes the namespace when it creates the container, and a script in its place holds the start until they are there. Three
// witnesses have to agree in each namespace: nft, iptables, and the kernel's own count of the connects since the namespace was made
// (ActiveOpens and TCPSynRetrans in /proc/net/snmp and netstat), which would show a SYN that was sent before.
//
// Only TCP is counted, and the addresses are numbers: Docker's own name server, of networks that users have made, sends from the
// containers' namespaces as well, and has no class. A test shows that.
//
// The leaves are made by package cgroupnet as an executor makes them. Some tests start containers that get their class too late, and
// see the class 0 that the others must not see.
package classproof
