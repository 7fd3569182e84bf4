package policyfile

import (
	"fmt"
	"slices"
	"strings"

	"mesos-docker-executor/internal/rulefile"
	"mesos-docker-executor/security"
)

// Entry is one of identities.
type Entry struct {
	Index int    `json:"index"`
	Place string `json:"place"` // "policy.yaml:8"
}

func (e Entry) String() string { return fmt.Sprintf("identities[%d] (%s)", e.Index, e.Place) }

// Choice says how the rules for an identity were found.
type Choice struct {
	// Entry whose rules count; nil if none matches.
	Entry *Entry `json:"entry,omitempty"`
	// Among is how many entries the file has.
	Among int `json:"among"`
	// AppIDIgnored: the identity has an app ID, the file goes by some, and the identity's principal is not trusted with one.
	AppIDIgnored bool `json:"app_id_ignored,omitempty"`
}

// String completes "for NAME, ", and is empty where there is nothing to say.
func (c Choice) String() string {
	var parts []string
	switch {
	case c.Entry != nil:
		parts = append(parts, "by "+c.Entry.String())
	case c.Among > 0:
		parts = append(parts, "by no entry of identities")
	}
	if c.AppIDIgnored {
		parts = append(parts, "its app ID not believed (principal without app_id_trusted)")
	}
	return strings.Join(parts, ", ")
}

// who is what entries go by of an identity.
func who(id security.Identity) rulefile.Identity {
	return rulefile.Identity{Principal: id.Principal, Role: id.Role, Trusted: id.Trusted, AppID: id.AppID}
}

// first returns the index of the entry for an identity, or -1.
func (f *File) first(id security.Identity) int {
	return slices.IndexFunc(f.identities, func(i identity) bool { return i.match.Covers(who(id), f.appIDTrusted) })
}

// Choose says which entry [File.For] goes by.
func (f *File) Choose(id security.Identity) Choice {
	c := Choice{Among: len(f.identities), AppIDIgnored: id.AppID != "" && !(id.Trusted && f.appIDTrusted[id.Principal]) && f.usesAppIDs()}
	if at := f.first(id); at >= 0 {
		c.Entry = &f.Entries()[at]
	}
	return c
}

func (f *File) usesAppIDs() bool {
	return slices.ContainsFunc(f.identities, func(i identity) bool { return len(i.match.AppIDs) > 0 }) ||
		slices.ContainsFunc(f.exceptions, func(x exception) bool { return len(x.match.AppIDs) > 0 })
}

// Entries returns the entries of identities, in their order.
func (f *File) Entries() []Entry {
	var all []Entry
	for i, id := range f.identities {
		all = append(all, Entry{Index: i, Place: rulefile.Place(f.name, id.line)})
	}
	return all
}
