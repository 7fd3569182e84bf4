package security

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Policy is an immutable set of [Rules]. The zero Policy allows no container; use [BuiltIn], [New] or [FromFile].
type Policy struct {
	source string
	digest string
	rules  Rules
	// places are those of the keys that a file has, if the policy is of one.
	places   map[string]string
	fromFile bool
	expired  []Expired
}

// New returns the policy with these rules. source is a short name of where they come from, for [Policy.Hash]. The rules
// are copied: later changes to them do not change the policy.
func New(source string, r Rules) Policy {
	// Rules hold only strings, numbers and booleans; json sorts map keys, so this neither fails nor varies.
	canonical, _ := json.Marshal(r)
	sum := sha256.Sum256(canonical)
	return Policy{source: source, digest: hex.EncodeToString(sum[:]), rules: clone(r)}
}

// FromFile returns the policy with rules that come from a file: digest is the SHA-256 of its content in hexadecimal digits.
// places says for keys of the rules, by their JSON names with dots between them ("capabilities.allow"), where the file has
// them ("policy.yaml:14"); the key of a section stands for what is in it. Keys that are missing are built in.
func FromFile(source, digest string, r Rules, places map[string]string) Policy {
	return Policy{source: source, digest: digest, rules: clone(r), places: clone(places), fromFile: true}
}

// Rules returns a copy of the policy's rules.
func (p Policy) Rules() Rules { return clone(p.rules) }

// Hash names the policy in messages: where it comes from and the first 12 hexadecimal digits of its [Policy.Digest].
func (p Policy) Hash() string {
	digest := p.digest
	return cmp.Or(p.source, "none") + ":" + digest[:min(12, len(digest))]
}

// Digest is the SHA-256 of the policy file's content, or of the rules' JSON form if there is no file. Equal ones are equal on
// every host; the order of a list counts.
func (p Policy) Digest() string { return p.digest }

// String names the policy in full: "policy.yaml@sha256:" and the 64 digits of its [Policy.Digest].
func (p Policy) String() string { return cmp.Or(p.source, "none") + "@sha256:" + p.digest }

// For returns the policy itself: it is the same for every identity.
func (p Policy) For(Identity) (Policy, error) { return p, nil }
