package firewall

import "fmt"

// markUser is a program that reads meaning into bits of the packet mark.
type markUser struct {
	name string
	bits func(id uint32) bool // reports whether it would take the class for a mark of its own
	says string
}

// markUsers are those that many hosts have, with their defaults: kube-proxy's --iptables-masquerade-bit 14 and kubelet's drop bit 15;
// Calico Felix' IptablesMarkMask 0xffff0000; Tailscale's subnet route and bypass marks within the mask 0xff0000.
func markUsers() []markUser {
	return []markUser{
		{"kube-proxy", func(id uint32) bool { return id&0xc000 != 0 }, "masquerades packets with the mark 0x4000/0x4000; older kubelets drop those with 0x8000/0x8000"},
		{"Calico", func(id uint32) bool { return id&0xffff0000 != 0 }, "uses the bits 0xffff0000 unless IptablesMarkMask says otherwise"},
		{"Tailscale", func(id uint32) bool { return id&0xff0000 == 0x40000 || id&0xff0000 == 0x80000 }, "takes the marks 0x40000 and 0x80000, within 0xff0000, for its own"},
	}
}

// markWarnings are lines about programs that would take a class in a mark for their own mark.
func (r Rules) markWarnings() []string {
	lines := []string{
		"Marks take all 32 bits, and only where the mark is 0. Do not load this where another program gives a meaning to bits of",
		"the mark, unless none of the classes has them:",
	}
	for _, user := range markUsers() {
		var hit, all int
		var first uint32
		for _, t := range r.Teams {
			for _, c := range t.Classes {
				all++
				if user.bits(c.ID) {
					if hit++; hit == 1 {
						first = c.ID
					}
				}
			}
		}
		verdict := "none of these classes has them"
		if hit > 0 {
			verdict = fmt.Sprintf("%d of %d classes have them, such as %s", hit, all, hex(first))
		}
		lines = append(lines, fmt.Sprintf("- %s %s: %s.", user.name, user.says, verdict))
	}
	return lines
}
