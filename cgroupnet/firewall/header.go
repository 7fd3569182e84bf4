package firewall

// header writes what holds for both formats. how are the lines about loading, seeing and removing.
func (r Rules) header(out *text, f Format, how []string) {
	out.line("# Rules by network class, for %s, from %s.", f, clean(r.Source))
	out.line("#")
	for _, line := range how {
		out.line("# %s", line)
	}
	out.line("# Counters begin at 0 with each load.")
	out.line("#")
	for _, line := range r.scope() {
		out.line("# %s", line)
	}
	if r.Mark {
		out.line("#")
		for _, line := range r.markWarnings() {
			out.line("# %s", line)
		}
	}
	out.line("#")
	out.line("# These teams and classes:")
	for _, t := range r.Teams {
		apps, retired := 0, 0
		for _, c := range t.Classes {
			if c.Retired {
				retired++
			} else if c.App != "" {
				apps++
			}
		}
		out.line("#   %s/0xffff0000  %s, apps: %d, retired: %d", t.major(), t.whose(), apps, retired)
	}
	out.line("")
}

// scope says to what the rules apply, and what they do.
func (r Rules) scope() []string {
	lines := []string{
		"They are for what is sent in the network namespace where they are loaded: on the host for its processes and the containers on",
		"its network; for a container on a bridge in that container's own (nsenter --net=FILE), as the host's chains do not see its class.",
	}
	if !r.refuses() {
		return append(lines, "Nothing is refused.")
	}
	lines = append(lines, "Connections that these classes open are refused; those that are open already stay so, and those from outside are answered.")
	if len(r.DropTo) > 0 {
		lines = append(lines, "Not to: "+joined(r.DropTo))
	}
	if len(r.AllowTo) > 0 {
		lines = append(lines, "Only to: "+joined(r.AllowTo),
			"Loopback and DNS servers are allowed only if they are in this list.")
	}
	return lines
}
