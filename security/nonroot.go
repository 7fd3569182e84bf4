package security

// ForbidsRoot reports whether no container under the policy may run as root: [Rules].RunAsNonRoot demands that, and is enforced.
func (p Policy) ForbidsRoot() bool { return p.rules.RunAsNonRoot && p.rules.Mode != Audit }
