package security

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// review is one run of a policy over one Spec.
type review struct {
	policy       Policy // for the places of findings
	rules        Rules
	bindRoots    []string
	grantedBinds []Bind
	origins      Origins
	// left is a deep copy of the input. A rule takes its fields out of it; what is still there in the end is unknown.
	left Spec
	// out is what may be sent. It starts empty.
	out      Spec
	findings []Finding
	// exceptions counts the findings about what is sent although it would be rejected; see isException.
	exceptions int
}

// Review decides over a Spec. It collects every finding and stops at none, and leaves the input untouched.
//
// granted is what the task has by the cluster's own decision, whatever the rules say of host paths.
func (p Policy) Review(spec Spec, granted Grants) Decision {
	r := &review{policy: p, rules: p.rules, left: clone(spec), grantedBinds: granted.Binds}
	r.origins = take(&r.left.Origins)
	for _, root := range granted.Roots {
		if isCleanAbsolute(root) && root != "/" {
			r.bindRoots = append(r.bindRoots, root)
		}
	}

	r.text()
	r.identity()
	r.privileged()
	r.capabilities()
	r.confinement()
	r.namespaces()
	r.network()
	r.dns()
	r.sysctls() // after the namespaces that they belong to
	r.mounts()
	r.devices()
	r.nestedTargets() // after the mounts and the devices
	r.process()
	r.user()
	r.labels()
	r.memory()
	r.shm() // after the memory limit
	r.cpu()
	r.pids()
	r.ulimits()
	r.otherResources()
	r.health()
	r.lifecycle()
	r.runtime()
	r.logging()
	r.unknown("Config", reflect.ValueOf(r.left.Config))
	r.unknown("Host", reflect.ValueOf(r.left.Host))
	r.unknown("Network", reflect.ValueOf(r.left.Network))

	d := Decision{Findings: r.findings, PolicyHash: p.Hash()}
	if !d.Rejected() {
		d.Spec = r.out
		d.Spec.Origins = r.origins
	}
	return d
}

// take returns the value of a field and empties the field.
func take[T any](field *T) T {
	value := *field
	var empty T
	*field = empty
	return value
}

func (r *review) found(action Action, field, value, rule, format string, args ...any) {
	r.findings = append(r.findings, Finding{
		Action:  action,
		Field:   Printable(field),
		Value:   Printable(value),
		Rule:    rule,
		Place:   r.policy.place(rule),
		Origin:  Printable(r.origins.Of(field)),
		Message: fmt.Sprintf(format, args...),
	})
}

// lowered is found for a value that becomes another one.
func (r *review) lowered(field, value, now, rule, format string, args ...any) {
	r.found(Trim, field, value, rule, format, args...)
	r.findings[len(r.findings)-1].Now = Printable(now)
}

// at says which key of the rules the last finding goes by, where its rule has several.
func (r *review) at(key string) {
	r.findings[len(r.findings)-1].Place = r.policy.placeOf(key)
}

// atEntry is at for one entry of a map, of which each may be written elsewhere: one that the rules have and the file has not is built in.
func (r *review) atEntry(key, name string) {
	place, written := r.policy.places[key+"."+name]
	if !written {
		place = r.policy.inherited()
	}
	r.findings[len(r.findings)-1].Place = place
}

// allow makes no finding where another one says by way of which exception the value is sent.
func (r *review) allow(field, value, rule string) {
	if !r.isException(field) {
		r.found(Allow, field, value, rule, "%s is allowed.", Printable(field))
	}
}

// reject refuses what no rules can allow, in audit mode too; see [review.deny] for the rest.
func (r *review) reject(field, value, rule, format string, args ...any) {
	r.found(Reject, field, value, rule, format, args...)
	r.fixed()
}

// fixed says of the last finding that no policy can change it, although its rule goes by keys of the rules.
func (r *review) fixed() { r.findings[len(r.findings)-1].Place = Fixed }

// unasked says of the last finding that nothing in the task asked for it, although it asked for other elements of the same list.
func (r *review) unasked() { r.findings[len(r.findings)-1].Origin = "" }

// rejectedSince reports whether there is a rejection among the findings from this index on.
func (r *review) rejectedSince(index int) bool {
	return slices.ContainsFunc(r.findings[index:], func(f Finding) bool { return f.Action == Reject })
}

// text rejects strings that cannot arrive as they were reviewed: the Docker API is JSON, whose encoder replaces invalid
// UTF-8, and the kernel's interfaces end at a NUL.
func (r *review) text() {
	var walk func(field string, v reflect.Value)
	walk = func(field string, v reflect.Value) {
		if isText(v) { // nearly always, and then nobody needs the paths of what is in it
			return
		}
		switch v.Kind() {
		case reflect.String:
			r.reject(field, "", "text", "%s holds a NUL or is not valid UTF-8; write it as plain UTF-8 text.", Printable(field))
		case reflect.Pointer:
			if !v.IsNil() {
				walk(field, v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(fieldName(field, v.Type().Field(i)), v.Field(i))
			}
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				walk(fmt.Sprintf("%s[%d]", field, i), v.Index(i))
			}
		case reflect.Map:
			for _, key := range sortedKeys(v) {
				walk(field, key)
				walk(fmt.Sprintf("%s[%v]", field, key), v.MapIndex(key))
			}
		}
	}
	walk("Name", reflect.ValueOf(r.left.Name))
	walk("Image", reflect.ValueOf(r.left.Image))
	walk("Config", reflect.ValueOf(r.left.Config))
	walk("Host", reflect.ValueOf(r.left.Host))
	walk("Network", reflect.ValueOf(r.left.Network))
}

// isText reports whether every string in a value can arrive as it was reviewed.
func isText(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		s := v.String()
		return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s)
	case reflect.Pointer:
		return v.IsNil() || isText(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if !isText(v.Field(i)) {
				return false
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if !isText(v.Index(i)) {
				return false
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			if !isText(entries.Key()) || !isText(entries.Value()) {
				return false
			}
		}
	}
	return true
}

// unknown rejects every field that is set and that no rule took: what is not known to be harmless is not sent.
func (r *review) unknown(field string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				r.unknown(fieldName(field, v.Type().Field(i)), v.Field(i))
			}
		}
		return
	case reflect.Slice, reflect.Map:
		if v.Len() == 0 {
			return
		}
	default:
		if v.IsZero() {
			return
		}
	}
	// Composite values may hold secrets (log options, for one), so only scalars are shown.
	value := ""
	switch v.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint64, reflect.Float64:
		value = fmt.Sprint(v.Interface())
	}
	r.reject(field, value, "unknown",
		"%s is set, and the policy has no rule that allows it; remove it from the task.", Printable(field))
}

// fieldName joins a path; embedded structs add nothing to it, as in the Docker API's JSON.
func fieldName(parent string, f reflect.StructField) string {
	if f.Anonymous {
		return parent
	}
	return parent + "." + f.Name
}

func sortedKeys(m reflect.Value) []reflect.Value {
	return slices.SortedFunc(slices.Values(m.MapKeys()), func(a, b reflect.Value) int {
		return strings.Compare(fmt.Sprint(a.Interface()), fmt.Sprint(b.Interface()))
	})
}
