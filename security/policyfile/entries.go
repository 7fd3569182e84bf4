package policyfile

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"mesos-docker-executor/security"
)

// maxValidity bounds how far in the future an entry of break_glass may expire, in years.
const maxValidity = 1

// maxReason is the length of a reason in bytes.
const maxReason = 300

// maxName is the length of the names that tasks write, in bytes.
const maxName = 64

// mode reads `enforce` or `audit`.
func (p *parser) mode(e entry) security.Mode {
	words := []string{string(security.Enforce), string(security.Audit)}
	text, ok := p.text(e, oneOf(words))
	if ok && !slices.Contains(words, text) {
		p.problems.add(e.value.Line, e.path, "%s is no mode%s; allowed: %s", quote(text), meant(text, words), oneOf(words))
	}
	return security.Mode(text)
}

// principals reads what the file says of principals, by their exact names.
func (p *parser) principals(e entry) {
	p.out.appIDTrusted = map[string]bool{}
	for _, principal := range p.mapping(e.value, e.path) {
		if strings.Contains(principal.key, "*") {
			p.problems.add(principal.line, principal.path, "is no pattern: trust in app IDs is given to one principal by its whole name")
		}
		for _, key := range p.mapping(principal.value, principal.path) {
			if key.key != "app_id_trusted" {
				p.unknown(key, []string{"app_id_trusted"})
			} else if trusted, ok := p.boolean(key); ok && trusted {
				p.out.appIDTrusted[principal.key] = true
			}
		}
	}
}

// namedProfiles reads the profiles that entries of identities can offer to their tasks.
func (p *parser) namedProfiles(e entry) {
	p.out.profiles, p.out.profileLines = map[string]layer{}, map[string]int{}
	for _, profile := range p.mapping(e.value, e.path) {
		if err := checkName(profile.key); err != nil {
			p.problems.add(profile.line, profile.path, "%v", err)
		}
		p.out.profiles[profile.key], p.out.profileLines[profile.key] = p.layer(profile), profile.line
	}
}

// identity is an entry of identities.
type identity struct {
	match    match
	line     int
	mode     security.Mode // "" is inherited
	modeLine int
	rules    layer
	profiles []string
}

func (p *parser) identities(e entry) {
	if isNull(e.value) { // all entries are commented out
		return
	}
	lines := map[string]int{} // of the matches so far
	for _, element := range p.list(e, "entries with `match` and `rules`") {
		id := identity{line: element.line}
		keys := p.keys(element, "match", "mode", "rules", "profiles")
		id.match = p.match(element, keys["match"], "write what holds for everybody under `defaults`")
		if mode, ok := keys["mode"]; ok {
			id.mode, id.modeLine = p.mode(*mode), mode.line
		}
		if rules, ok := keys["rules"]; ok {
			id.rules = p.layer(*rules)
		}
		if profiles, ok := keys["profiles"]; ok {
			id.profiles = p.profileNames(*profiles)
		}
		key := fmt.Sprintf("%q", [][]string{id.match.principals, id.match.roles, id.match.appIDs})
		if line := lines[key]; line > 0 {
			p.problems.add(id.line, element.path,
				"is never reached: the first match wins, and the entry on line %d matches the same; make one of the two", line)
		} else if !id.match.isEmpty() {
			lines[key] = id.line
		}
		p.out.identities = append(p.out.identities, id)
	}
}

// keys returns the entries of a mapping of known keys.
func (p *parser) keys(e entry, known ...string) map[string]*entry {
	found := map[string]*entry{}
	if isNull(e.value) {
		p.problems.add(e.line, e.path, "is empty; write %s below it, or remove it", oneOf(known))
		return found
	}
	for _, key := range p.mapping(e.value, e.path) {
		if slices.Contains(known, key.key) {
			found[key.key] = &key
		} else {
			p.unknown(key, known)
		}
	}
	return found
}

func (p *parser) profileNames(e entry) []string {
	var names []string
	for _, element := range p.list(e, "names of profiles") {
		name, ok := p.text(element, "the name of a profile")
		_, exists := p.out.profiles[name]
		switch {
		case !ok:
		case !exists:
			known := slices.Sorted(maps.Keys(p.out.profiles))
			p.problems.add(element.line, element.path, "there is no profile %s%s; known are %s", quote(name), meant(name, known), listed(known))
		case slices.Contains(names, name):
			p.problems.add(element.line, element.path, "%s is in the list twice; keep one", quote(name))
		default:
			names = append(names, name)
		}
	}
	return names
}

// match reads whom an entry is for. remedy completes the error about one that is for everybody.
func (p *parser) match(of entry, e *entry, remedy string) match {
	var m match
	if e == nil {
		p.missing(of, "match", "has no `match`; write principals, roles or app_ids below it, or %s", remedy)
		return m
	}
	before := len(p.problems.Problems)
	keys := map[string]*entry{}
	if !isNull(e.value) {
		keys = p.keys(*e, "principals", "roles", "app_ids")
	}
	m.principals = p.patterns(keys["principals"], checkPattern)
	m.roles = p.patterns(keys["roles"], checkRolePattern)
	m.appIDs = p.patterns(keys["app_ids"], checkAppPattern)
	if m.isEmpty() && len(p.problems.Problems) == before {
		p.problems.add(e.line, e.path, "is empty, which matches nobody; write principals, roles or app_ids, or %s", remedy)
	}
	if len(m.appIDs) > 0 {
		p.checkAppTrust(*keys["app_ids"], keys["principals"], m)
	}
	return m
}

func (p *parser) patterns(e *entry, check func(string) error) []string {
	if e == nil {
		return nil
	}
	before := len(p.problems.Problems)
	var patterns []string
	for _, element := range p.list(*e, "patterns") {
		pattern, ok := p.text(element, "a pattern")
		if !ok {
			continue
		}
		if err := check(pattern); err != nil {
			p.problems.add(element.line, element.path, "%v", err)
		} else if slices.Contains(patterns, pattern) {
			p.problems.add(element.line, element.path, "%s is in the list twice; keep one", quote(pattern))
		} else {
			patterns = append(patterns, pattern)
		}
	}
	if len(patterns) == 0 && len(p.problems.Problems) == before {
		p.problems.add(e.line, e.path, "is an empty list, which would match nobody; write patterns, or remove the key")
	}
	return patterns
}

// checkAppTrust refuses an entry that goes by app ID for principals whose app IDs anybody can choose: it would never apply.
func (p *parser) checkAppTrust(appIDs entry, principals *entry, m match) {
	trusted := slices.Sorted(maps.Keys(p.out.appIDTrusted))
	if len(trusted) == 0 {
		p.problems.add(appIDs.line, appIDs.path,
			"never applies: app IDs count only for principals whose authors cannot choose them freely; if a proxy sees to that, "+
				"write `principals: {NAME: {app_id_trusted: true}}` at the top")
		return
	}
	for _, pattern := range m.principals {
		if slices.ContainsFunc(trusted, func(name string) bool { return matches(pattern, name) }) {
			continue
		}
		at := slices.IndexFunc(principals.value.Content, func(n *yaml.Node) bool { return n.Value == pattern })
		p.problems.add(principals.value.Content[at].Line, principals.path,
			"%s is not trusted with app IDs, by which the entry goes; it may be one of %s, or gets `app_id_trusted: true` in `principals`",
			quote(pattern), listed(trusted))
	}
}

// exception is an entry of break_glass. It is in force to the end of its last day, in UTC.
type exception struct {
	match   match
	line    int
	index   int
	lasts   string // "2026-12-31"
	expired bool
	lifts   security.BreakGlass
	lines   map[string]int // of the keys below allow
}

func (p *parser) breakGlass(e entry) {
	if isNull(e.value) { // all entries are commented out
		return
	}
	for i, element := range p.list(e, "entries with `match`, `reason`, `expires` and `allow`") {
		x := exception{line: element.line, index: i, lines: map[string]int{}}
		keys := p.keys(element, "match", "reason", "expires", "allow")
		x.match = p.match(element, keys["match"], "name those who need it: nobody else gets anything of it")
		if reason := keys["reason"]; reason == nil {
			p.missing(element, "reason", "has no `reason`; say why this is lifted, for those who read it in a year")
		} else if text, ok := p.text(*reason, "a text"); ok {
			x.lifts.Reason = strings.TrimSpace(text)
			if length := len(x.lifts.Reason); length == 0 {
				p.problems.add(reason.line, reason.path, "is empty; say why this is lifted, for those who read it in a year")
			} else if length > maxReason {
				p.problems.add(reason.line, reason.path, "has %d bytes; say it in %d, it is part of messages", length, maxReason)
			}
		}
		p.expiry(element, keys["expires"], &x)
		p.lifted(element, keys["allow"], &x)
		x.lifts.Expires = x.lasts
		p.out.exceptions = append(p.out.exceptions, x)
	}
}

// expiry reads the last day on which an entry is in force.
func (p *parser) expiry(of entry, e *entry, x *exception) {
	today := day(p.now)
	latest := today.AddDate(maxValidity, 0, 0)
	if e == nil {
		p.missing(of, "expires", "has no `expires`; write the last day on which it holds, at most a year from now: %s", latest.Format(time.DateOnly))
		return
	}
	last, err := time.Parse(time.DateOnly, e.value.Value)
	switch {
	case e.value.Kind != yaml.ScalarNode || err != nil:
		p.problems.add(e.value.Line, e.path, "%s is no day; write the last one on which the entry holds, such as %s",
			quote(e.value.Value), latest.Format(time.DateOnly))
	case last.After(latest):
		p.problems.add(e.value.Line, e.path, "%s is more than a year away, as today is %s; write %s at the latest, and renew the entry then if it is still needed",
			quote(e.value.Value), today.Format(time.DateOnly), latest.Format(time.DateOnly))
	}
	x.lasts, x.expired = e.value.Value, last.Before(today)
}

func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// lifted reads what an entry lifts: the fields of [security.BreakGlass].
func (p *parser) lifted(of entry, e *entry, x *exception) {
	const remedy = "write what it lifts: host_namespaces, paths, unconfined or propagation"
	if e == nil {
		p.missing(of, "allow", "has no `allow`; %s", remedy)
		return
	}
	before := len(p.problems.Problems)
	known := fieldsOf(reflect.TypeFor[security.BreakGlass](), "break_glass.", "reason", "expires")
	for _, key := range p.mapping(e.value, e.path) {
		at := slices.IndexFunc(known, func(r rule) bool { return r.key == "break_glass."+key.key })
		if at < 0 {
			p.unknown(key, lastNames(known))
			continue
		}
		if s, ok := p.setting(key, known[at], false); ok {
			reflect.ValueOf(&x.lifts).Elem().FieldByIndex(known[at].index).Set(s.value)
			x.lines[key.key] = key.line
		}
	}
	lifts := func(r rule) bool {
		v := reflect.ValueOf(x.lifts).FieldByIndex(r.index)
		return v.Kind() == reflect.Slice && v.Len() > 0 || v.Kind() != reflect.Slice && !v.IsZero()
	}
	if !slices.ContainsFunc(known, lifts) && len(p.problems.Problems) == before {
		p.problems.add(e.line, e.path, "lifts nothing; %s", remedy)
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
			places[key] = place(file, line)
		}
	}
	note("break_glass", x.line)
	for key, line := range x.lines {
		note("break_glass."+key, line)
	}
}
