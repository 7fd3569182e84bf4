package policyfile

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rulefile"
	"mesos-docker-executor/security"
)

// maxValidity bounds how far in the future an entry of break_glass may expire, in years.
const maxValidity = 1

// maxReason is the length of a reason in bytes.
const maxReason = 300

// maxName is the length of the names that tasks write, in bytes.
const maxName = 64

// mode reads `enforce` or `audit`.
func (p *parser) mode(e rulefile.Entry) security.Mode {
	words := []string{string(security.Enforce), string(security.Audit)}
	text, ok := p.Text(e, message.OneOf(words))
	if ok && !slices.Contains(words, text) {
		p.Wrong(e, "%s is no mode%s; allowed: %s", message.Quote(text), message.Meant(text, words), message.OneOf(words))
	}
	return security.Mode(text)
}

// namedProfiles reads the profiles that entries of identities can offer to their tasks.
func (p *parser) namedProfiles(e rulefile.Entry) {
	p.out.profiles, p.out.profileLines = map[string]layer{}, map[string]int{}
	for _, profile := range p.Mapping(e) {
		if err := checkName(profile.Key); err != nil {
			p.Note(profile, "%v", err)
		}
		p.out.profiles[profile.Key], p.out.profileLines[profile.Key] = p.layer(profile), profile.Line
	}
}

// identity is an entry of identities.
type identity struct {
	match    rulefile.Match
	line     int
	mode     security.Mode // "" is inherited
	modeLine int
	rules    layer
	profiles []string
}

func (p *parser) identities(e rulefile.Entry) {
	if rulefile.IsNull(e.Value) { // all entries are commented out
		return
	}
	lines := map[string]int{} // of the matches so far
	for _, element := range p.List(e, "entries with `match` and `rules`") {
		id := identity{line: element.Line}
		keys := p.Keys(element, "match", "mode", "rules", "profiles")
		id.match = p.Match(element, keys["match"], p.out.appIDTrusted, ", or write what holds for everybody under `defaults`")
		if mode, ok := keys["mode"]; ok {
			id.mode, id.modeLine = p.mode(*mode), mode.Line
		}
		if rules, ok := keys["rules"]; ok {
			id.rules = p.layer(*rules)
		}
		if profiles, ok := keys["profiles"]; ok {
			id.profiles = p.profileNames(*profiles)
		}
		key := fmt.Sprintf("%q", [][]string{id.match.Principals, id.match.Roles, id.match.AppIDs})
		if line := lines[key]; line > 0 {
			p.Problems.Add(id.line, element.Path,
				"is never reached: the first match wins, and the entry on line %d matches the same; make one of the two", line)
		} else if !id.match.IsEmpty() {
			lines[key] = id.line
		}
		p.out.identities = append(p.out.identities, id)
	}
}

func (p *parser) profileNames(e rulefile.Entry) []string {
	var names []string
	for _, element := range p.List(e, "names of profiles") {
		name, ok := p.Text(element, "the name of a profile")
		_, exists := p.out.profiles[name]
		switch {
		case !ok:
		case !exists:
			known := slices.Sorted(maps.Keys(p.out.profiles))
			p.Note(element, "there is no profile %s%s; known are %s", message.Quote(name), message.Meant(name, known), message.Listed(known))
		case slices.Contains(names, name):
			p.Note(element, "%s is in the list twice; keep one", message.Quote(name))
		default:
			names = append(names, name)
		}
	}
	return names
}

// exception is an entry of break_glass. It is in force to the end of its last day, in UTC.
type exception struct {
	match   rulefile.Match
	line    int
	index   int
	lasts   string // "2026-12-31"
	expired bool
	lifts   security.BreakGlass
	lines   map[string]int // of the keys below allow
}

func (p *parser) breakGlass(e rulefile.Entry) {
	if rulefile.IsNull(e.Value) { // all entries are commented out
		return
	}
	for i, element := range p.List(e, "entries with `match`, `reason`, `expires` and `allow`") {
		x := exception{line: element.Line, index: i, lines: map[string]int{}}
		keys := p.Keys(element, "match", "reason", "expires", "allow")
		x.match = p.Match(element, keys["match"], p.out.appIDTrusted, ", or name those who need it: nobody else gets anything of it")
		if reason := keys["reason"]; reason == nil {
			p.Missing(element, "reason", "has no `reason`; say why this is lifted, for those who read it in a year")
		} else if text, ok := p.Text(*reason, "a text"); ok {
			x.lifts.Reason = strings.TrimSpace(text)
			if length := len(x.lifts.Reason); length == 0 {
				p.Note(*reason, "is empty; say why this is lifted, for those who read it in a year")
			} else if length > maxReason {
				p.Note(*reason, "has %d bytes; say it in %d, it is part of messages", length, maxReason)
			}
		}
		p.expiry(element, keys["expires"], &x)
		p.lifted(element, keys["allow"], &x)
		x.lifts.Expires = x.lasts
		p.out.exceptions = append(p.out.exceptions, x)
	}
}

// expiry reads the last day on which an entry is in force.
func (p *parser) expiry(of rulefile.Entry, e *rulefile.Entry, x *exception) {
	today := day(p.now)
	latest := today.AddDate(maxValidity, 0, 0)
	if e == nil {
		p.Missing(of, "expires", "has no `expires`; write the last day on which it holds, at most a year from now: %s", latest.Format(time.DateOnly))
		return
	}
	last, err := time.Parse(time.DateOnly, e.Value.Value)
	switch {
	case e.Value.Kind != yaml.ScalarNode || err != nil:
		p.Wrong(*e, "%s is no day; write the last one on which the entry holds, such as %s",
			message.Quote(e.Value.Value), latest.Format(time.DateOnly))
	case last.After(latest):
		p.Wrong(*e, "%s is more than a year away, as today is %s; write %s at the latest, and renew the entry then if it is still needed",
			message.Quote(e.Value.Value), today.Format(time.DateOnly), latest.Format(time.DateOnly))
	}
	x.lasts, x.expired = e.Value.Value, last.Before(today)
}

func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// lifted reads what an entry lifts: the fields of [security.BreakGlass].
func (p *parser) lifted(of rulefile.Entry, e *rulefile.Entry, x *exception) {
	const remedy = "write what it lifts: host_namespaces, paths, unconfined or propagation"
	if e == nil {
		p.Missing(of, "allow", "has no `allow`; %s", remedy)
		return
	}
	before := len(p.Problems.Problems)
	known := fieldsOf(reflect.TypeFor[security.BreakGlass](), "break_glass.", "reason", "expires")
	for _, key := range p.Mapping(*e) {
		at := slices.IndexFunc(known, func(r rule) bool { return r.key == "break_glass."+key.Key })
		if at < 0 {
			p.unknown(key, lastNames(known))
			continue
		}
		if s, ok := p.setting(key, known[at], false); ok {
			reflect.ValueOf(&x.lifts).Elem().FieldByIndex(known[at].index).Set(s.value)
			x.lines[key.Key] = key.Line
		}
	}
	lifts := func(r rule) bool {
		v := reflect.ValueOf(x.lifts).FieldByIndex(r.index)
		return v.Kind() == reflect.Slice && v.Len() > 0 || v.Kind() != reflect.Slice && !v.IsZero()
	}
	if !slices.ContainsFunc(known, lifts) && len(p.Problems.Problems) == before {
		p.Note(*e, "lifts nothing; %s", remedy)
	}
}

// addTo adds what an entry lifts to what others lift. The first entry that writes a key is its place.
func (x exception) addTo(all *security.BreakGlass, places map[string]string, file string) {
	reason, expires := x.lifts.Reason, x.lasts
	if all.Reason != "" {
		reason, expires = all.Reason+"; "+reason, min(all.Expires, expires)
	}
	sum, own := reflect.ValueOf(all).Elem(), reflect.ValueOf(x.lifts)
	for _, r := range fieldsOf(sum.Type(), "", "reason", "expires") {
		if to := sum.FieldByIndex(r.index); to.Kind() == reflect.Slice {
			to.Set(orZero(added(to, own.FieldByIndex(r.index))))
		} else if to.IsZero() {
			to.Set(own.FieldByIndex(r.index))
		}
	}
	all.Reason, all.Expires = reason, expires
	note := func(key string, line int) {
		if _, written := places[key]; !written {
			places[key] = rulefile.Place(file, line)
		}
	}
	note("break_glass", x.line)
	for key, line := range x.lines {
		note("break_glass."+key, line)
	}
}
