package security

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Policy is an immutable set of [Rules]. The zero Policy allows no container; use [BuiltIn] or [New].
type Policy struct {
	source string
	rules  Rules
}

// New returns the policy with these rules. source is a short name of where they come from, for [Policy.Hash]. The rules
// are copied: later changes to them do not change the policy.
func New(source string, r Rules) Policy { return Policy{source: source, rules: clone(r)} }

// Hash names the policy: where it comes from and the first 12 hexadecimal digits of the SHA-256 of its rules. Equal rules
// have equal hashes on every host; the order of a list counts.
func (p Policy) Hash() string {
	// Rules hold only strings, numbers and booleans; json sorts map keys, so this neither fails nor varies.
	canonical, _ := json.Marshal(p.rules)
	sum := sha256.Sum256(canonical)
	source := p.source
	if source == "" {
		source = "none"
	}
	return source + ":" + hex.EncodeToString(sum[:])[:12]
}
