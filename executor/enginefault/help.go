package enginefault

import (
	"errors"
	"fmt"
	"strings"
)

// Help describes the text form of rules to an operator, with all verbs and actions.
func Help() string {
	var b strings.Builder
	b.WriteString(`A fault is VERB=ACTION, or VERB#N=ACTION for the n-th call of that kind only, or VERB#N+=ACTION for the n-th and all after it.
Of several faults that match a call, the first one acts.

Verbs, the calls to the engine:
   ` + join(Verbs(), ", ") + `
   image is the inspection of an image, kill any signal to a container, any every call

Actions:
`)
	for _, k := range kinds() {
		form := string(k.action)
		switch {
		case k.arg == maybeDuration || k.arg == maybeText:
			form += "[:" + k.example + "]"
		case k.arg != nothing:
			form += ":" + k.example
		}
		text := k.text
		if len(k.verbs) > 0 {
			text += "; only for " + join(k.verbs, ", ")
		}
		fmt.Fprintf(&b, "   %-30s %s\n", form, text)
	}
	b.WriteString(`   Without a time, freeze, half-open, backlog and down last to the end.

Examples:
   start#1=delay:10s                the first start is late
   create=hang                      no create is ever answered
   inspect#2+=500:out of memory     inspect fails from the second one on
   wait=status:0                    a lie about how the container ended
   start=freeze:20s                 the daemon hangs for 20 s as it is to start the container
`)
	return b.String()
}

// ParseAll reads rules by [Parse]; the error names all that are wrong.
func ParseAll(texts ...string) ([]Rule, error) {
	var rules []Rule
	var errs []error
	for _, text := range texts {
		r, err := Parse(text)
		rules, errs = append(rules, r), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return rules, nil
}
