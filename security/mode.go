package security

// Mode says what a policy's findings come to.
type Mode string

const (
	// Enforce: what is rejected does not run, what is trimmed or forced runs otherwise than written.
	Enforce Mode = "enforce"
	// Audit: the container gets what its task asks for, and the findings say what enforcing would have done ([Finding.Would]).
	// What no rules can allow, and what [MountRules].DeniedPaths close, is rejected all the same, unless [BreakGlass] lifts it.
	Audit Mode = "audit"
)
