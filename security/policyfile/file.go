package policyfile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rulefile"
	"mesos-docker-executor/security"
)

// File is a policy.yaml, or the built-in policy. It is immutable.
type File struct {
	name         string
	digest       string
	builtIn      bool
	mode         security.Mode // "" if it is not written
	modeLine     int
	appIDTrusted map[string]bool // principals
	defaults     layer
	profiles     map[string]layer
	profileLines map[string]int
	identities   []identity
	exceptions   []exception
	unread       bool // seccomp profiles that the file names
}

// BuiltIn returns the policy that holds where there is no file: [security.BuiltIn] for every identity, and no profiles.
func BuiltIn() *File {
	return &File{name: "built-in", digest: security.BuiltIn().Digest(), builtIn: true}
}

func baseName(name string) string {
	if base := path.Base(name); base != "." && base != "/" {
		return base
	}
	return "policy.yaml"
}

// seal finishes a file that was read without a problem.
func (f *File) seal(data []byte, profiles map[string]string) {
	f.digest = sum(string(data))
	if len(profiles) == 0 {
		return
	}
	lines := f.digest + "  policy.yaml\n"
	for _, path := range slices.Sorted(maps.Keys(profiles)) {
		lines += sum(profiles[path]) + "  " + path + "\n"
	}
	f.digest = sum(lines)
}

func sum(s string) string {
	digest := sha256.Sum256([]byte(s))
	return hex.EncodeToString(digest[:])
}

// Name is what messages call the file: the last element of its path, or "built-in".
func (f *File) Name() string { return f.name }

// Digest is 64 hexadecimal digits: the SHA-256 of the file, as sha256sum(1) prints it. If the file names seccomp profiles, it is that
// of what sha256sum prints for "policy.yaml" and then for each profile by its path, in the order of their bytes. For the
// built-in policy it is [security.Policy.Digest].
func (f *File) Digest() string { return f.digest }

// UsesIdentity reports whether any rule goes by principal, role or app ID, so that it matters whether they are known.
func (f *File) UsesIdentity() bool {
	return len(f.identities) > 0 || slices.ContainsFunc(f.exceptions, func(x exception) bool { return !x.expired })
}

// For returns the policy for an identity. The error, a [*security.ProfileError], says that the identity asks for a profile that
// there is not or that it may not use; its other fields never make one. Two identities with the same rules have the same
// policy, and every policy of a file has the file's digest.
func (f *File) For(id security.Identity) (security.Policy, error) {
	rules, places := security.BuiltInRules(), map[string]string{}
	if err := f.layered(id, &rules, places); err != nil {
		return security.Policy{}, err
	}
	if f.builtIn {
		return security.BuiltIn(), nil
	}
	return security.FromFile(f.name, f.digest, rules, places).WithExpired(f.expired(id)), nil
}

// expired returns what entries of break_glass lifted for an identity that lift it no more.
func (f *File) expired(id security.Identity) []security.Expired {
	var expired []security.Expired
	for _, x := range f.exceptions {
		if x.expired && x.match.Covers(who(id), f.appIDTrusted) {
			was := x.lifts
			was.Reason = "" // which is for those who may have it
			expired = append(expired, security.Expired{Name: fmt.Sprintf("break_glass[%d], %s", x.index, rulefile.Place(f.name, x.line)), Was: was})
		}
	}
	return expired
}

// layered lays what the file says for an identity over the built-in rules.
func (f *File) layered(id security.Identity, rules *security.Rules, places map[string]string) error {
	var own identity
	if at := f.first(id); at >= 0 {
		own = f.identities[at]
	}
	if id.Profile != "" && !slices.Contains(own.profiles, id.Profile) {
		return f.profileRefused(id.Profile, own)
	}
	f.defaults.apply(rules, places, f.name)
	own.rules.apply(rules, places, f.name)
	f.profiles[id.Profile].apply(rules, places, f.name)

	mode, line := f.mode, f.modeLine
	if own.mode != "" {
		mode, line = own.mode, own.modeLine
	}
	if mode != "" {
		places["mode"] = rulefile.Place(f.name, line)
	}
	if mode == security.Audit { // else the built-in mode, which is to enforce
		rules.Mode = mode
	}
	for _, x := range f.exceptions {
		if !x.expired && x.match.Covers(who(id), f.appIDTrusted) {
			x.addTo(&rules.BreakGlass, places, f.name)
		}
	}
	return nil
}

func (f *File) profileRefused(profile string, own identity) error {
	remedy, at := "this task may pick none; remove the label, or ask the operator for a profile", "built-in"
	if len(own.profiles) > 0 {
		remedy = "this task may pick " + message.Listed(own.profiles) + "; write one of these, or remove the label"
	}
	if own.line > 0 {
		at = rulefile.Place(f.name, own.line)
	}
	return &security.ProfileError{Place: at, Message: "Profile " + message.Quote(message.Shorten(profile)) + " is refused: " + remedy + "."}
}
