package policyfile

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"mesos-docker-executor/security"
)

// Default returns the built-in policy as a commented policy.yaml: what it says is what holds without a file, so deleting a line
// changes nothing. The other sections are there as examples, in lines that begin with '#' and no blank, or two.
func Default() string {
	var b strings.Builder
	b.WriteString(defaultHead)
	writeSection(&b, reflect.ValueOf(security.BuiltInRules()), "", "  ", "mode", "break_glass")
	b.WriteString(defaultTail)
	return b.String()
}

const defaultHead = `# The built-in security policy of mesos-docker-executor, as a file. It belongs to root, and nobody else may write to it;
# to put it into its place: install -D -o root -g root -m 0644 policy.yaml ` + DefaultPath + `
# What is not written is built in, so only the lines that differ are needed. A list replaces the inherited one, unless each of its
# elements begins with +, which adds them: [+NET_RAW]. Sizes have units: KiB, MiB, GiB, TiB.
# Try it with: mesos-docker-executor check policy.yaml
version: 1

# enforce: what is rejected does not run. audit: it runs as asked for, and is reported.
mode: enforce

# Principals whose Marathon app IDs can be believed, because a proxy in front of Marathon sees to their first segments.
#principals:
#  marathon-proxy: {app_id_trusted: true}

# The rules for everybody. These are the built-in ones.
defaults:
`

const defaultTail = `
# Rules that a task may pick by its label ` + security.ProfileLabel + `, if its identity's entry lists the profile.
#profiles:
#  net-tools:
#    capabilities: {allow: [+NET_RAW, +NET_ADMIN]}

# Rules by identity; the first entry that matches counts. All kinds in a match have to match: principals, roles and app_ids, by
# patterns where * is any text without a slash, and /** at the end all below.
#identities:
#  - match: {principals: [marathon-proxy], app_ids: ["/infra/**"]}
#    profiles: [net-tools]
#    rules:
#      mounts:
#        +host_paths:
#          - {path: /srv/infra, writable: true}

# What no rule can lift, for a named identity, with a reason, and for a year at most. Privileged containers are not among it.
#break_glass:
#  - match: {roles: [infra/monitoring]}
#    reason: the node agent counts the host's processes
#    expires: 2027-03-31
#    allow: {host_namespaces: [pid]}
`

// writeSection writes the fields of a struct with what each means.
func writeSection(b *strings.Builder, v reflect.Value, prefix, indent string, without ...string) {
	all := facts()
	for i := range v.NumField() {
		name := jsonName(v.Type().Field(i))
		if slices.Contains(without, name) {
			continue
		}
		key, field := prefix+name, v.Field(i)
		fmt.Fprintf(b, "%s# %s\n", indent, all[key].meaning)
		if field.Kind() == reflect.Struct {
			fmt.Fprintf(b, "%s%s:\n", indent, name)
			writeSection(b, field, key+".", indent+"  ")
			continue
		}
		writeValue(b, key, field, indent, all[key])
	}
}

// writeValue writes a key with its value: a list or map that fits no line, in several.
func writeValue(b *strings.Builder, key string, v reflect.Value, indent string, f fact) {
	name := key[strings.LastIndex(key, ".")+1:]
	switch v.Kind() {
	case reflect.Slice:
		var elements []string
		for _, element := range v.Seq2() {
			elements = append(elements, formatValue(key, element, f))
		}
		writeFlow(b, indent+name+": [", elements, "]", indent)
	case reflect.Map:
		var elements []string
		for _, e := range sortedByKey(v) {
			elements = append(elements, e.String()+": "+formatNumber(key, e.String(), v.MapIndex(e).Int(), f))
		}
		writeFlow(b, indent+name+": {", elements, "}", indent)
	default:
		fmt.Fprintf(b, "%s%s: %s\n", indent, name, formatValue(key, v, f))
	}
}

func sortedByKey(m reflect.Value) []reflect.Value {
	return slices.SortedFunc(slices.Values(m.MapKeys()), func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
}

// writeFlow writes a list or map between brackets, in lines of at most width bytes.
func writeFlow(b *strings.Builder, open string, elements []string, end, indent string) {
	const width = 120
	line := open
	for i, element := range elements {
		if i < len(elements)-1 {
			element += ","
		}
		if len(line)+len(element) > width {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = indent + "  "
		}
		line += element
		if i < len(elements)-1 {
			line += " "
		}
	}
	b.WriteString(line + end + "\n")
}

func formatValue(key string, v reflect.Value, f fact) string {
	switch v.Kind() {
	case reflect.String:
		return formatText(strings.TrimPrefix(v.String(), "CAP_"))
	case reflect.Int, reflect.Int64:
		return formatNumber(key, "", v.Int(), f)
	case reflect.Struct:
		var fields []string
		for i := range v.NumField() {
			name := jsonName(v.Type().Field(i))
			fields = append(fields, name+": "+formatValue(key+"."+name, v.Field(i), f))
		}
		return "{" + strings.Join(fields, ", ") + "}"
	case reflect.Slice:
		var elements []string
		for _, e := range v.Seq2() {
			elements = append(elements, formatValue(key, e, f))
		}
		return "[" + strings.Join(elements, ", ") + "]"
	}
	return fmt.Sprint(v.Interface())
}

func formatNumber(key, name string, n int64, f fact) string {
	switch {
	case f.unlimited && n == -1:
		return "unlimited"
	case strings.HasSuffix(key, "_size") || slices.Contains(f.sizes, name):
		return formatSize(n)
	}
	return strconv.FormatInt(n, 10)
}

// formatText puts a text in quotes where YAML could take it for something else.
func formatText(s string) string {
	plain := isWord(s, "_./-") && !strings.ContainsAny(s[:1], "0123456789") &&
		!slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s))
	if plain || strings.HasPrefix(s, "/") && isWord(s[1:], "_./-") {
		return s
	}
	return strconv.Quote(s)
}
