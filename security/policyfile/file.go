package policyfile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"

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

// Notes returns sentences for the log about what is no error: audit mode, the entries of break_glass, in force or not, and seccomp
// profiles that were not read.
func (f *File) Notes() []string {
	var notes []string
	if f.mode == security.Audit {
		notes = append(notes, place(f.name, f.modeLine)+": the mode is audit: what the policy would reject or change runs as it was asked for, and is only reported. Neither does the built-in policy act: tasks run that are refused without a file.")
	}
	for i, id := range f.identities {
		if id.mode != "" && id.mode != cmp.Or(f.mode, security.Enforce) {
			note := fmt.Sprintf("%s: the mode for identities[%d] (%s) is %s.", place(f.name, id.modeLine), i, id.match, id.mode)
			if id.mode == security.Audit {
				note += " Neither does the built-in policy act on these: tasks run that are refused without a file."
			}
			notes = append(notes, note)
		}
	}
	for _, x := range f.exceptions {
		what := fmt.Sprintf("%s: break_glass[%d] (%s; reason: %s)", place(f.name, x.line), x.index, x.match, x.lifts.Reason)
		if x.expired {
			notes = append(notes, what+" expired on "+x.lasts+" and lifts nothing any more; remove it.")
		} else {
			notes = append(notes, what+" is in force to the end of "+x.lasts+", in UTC.")
		}
	}
	if f.unread {
		notes = append(notes, f.name+": the seccomp profiles that it names were not read, and the digest is that of the file alone; on its host they have a part in it.")
	}
	return notes
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
	return security.FromFile(f.name, f.digest, rules, places), nil
}

// layered lays what the file says for an identity over the built-in rules.
func (f *File) layered(id security.Identity, rules *security.Rules, places map[string]string) error {
	var own identity
	if at := slices.IndexFunc(f.identities, func(i identity) bool { return i.match.covers(id, f.appIDTrusted) }); at >= 0 {
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
		places["mode"] = place(f.name, line)
	}
	if mode == security.Audit { // else the built-in mode, which is to enforce
		rules.Mode = mode
	}
	for _, x := range f.exceptions {
		if !x.expired && x.match.covers(id, f.appIDTrusted) {
			x.addTo(&rules.BreakGlass, places, f.name)
		}
	}
	return nil
}

func (f *File) profileRefused(profile string, own identity) error {
	remedy, at := "this task may pick none; remove the label, or ask the operator for a profile", "built-in"
	if len(own.profiles) > 0 {
		remedy = "this task may pick " + listed(own.profiles) + "; write one of these, or remove the label"
	}
	if own.line > 0 {
		at = place(f.name, own.line)
	}
	return &security.ProfileError{Place: at, Message: "Profile " + quote(security.Shorten(profile)) + " is refused: " + remedy + "."}
}
