package enginefault

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rule says which calls are struck, and how. Of several rules that match a call, the first one acts.
type Rule struct {
	Verb   Verb
	N      int  // the n-th call of this verb since the rule was set, from 1; 0: every call
	Onward bool // and every call after the n-th
	Action Action

	Duration time.Duration // of delay, clock (may be negative), and of freeze and its kind, where 0 means until [Proxy.Thaw]
	Status   int           // of status, 0 to 255
	Text     string        // the message of 500, "" for a usual one; the version of api, "" for none
}

// Parse reads a rule from its text form VERB[#N[+]]=ACTION[:ARGUMENT]: "create=hang" strikes every create, "start#2=cut" the second
// start, "inspect#2+=500:no space left" the second inspect and all after it. Its errors name the wrong part and what is possible.
func Parse(text string) (Rule, error) {
	r, err := parse(text)
	if err != nil {
		return Rule{}, fmt.Errorf("fault %q: %w", text, err)
	}
	return r, nil
}

func parse(text string) (Rule, error) {
	call, fault, ok := strings.Cut(text, "=")
	if !ok {
		return Rule{}, fmt.Errorf(`there is no "=": write VERB=ACTION or VERB#N=ACTION, such as start#1=delay:10s`)
	}
	var r Rule
	verb, number, numbered := strings.Cut(call, "#")
	r.Verb = Verb(verb)
	if numbered {
		digits, onward := strings.CutSuffix(number, "+")
		n, err := strconv.ParseUint(digits, 10, 31)
		if err != nil || n == 0 {
			return r, fmt.Errorf("%q is not the number of a call: write #1 for the first one, #2+ for the second one and all after it", "#"+number)
		}
		r.N, r.Onward = int(n), onward
	}
	action, arg, hasArg := strings.Cut(fault, ":")
	r.Action = Action(action)
	if err := r.Check(); err != nil {
		return r, err
	}
	k, _ := kindOf(r.Action)
	return r, r.readArgument(k, arg, hasArg)
}

// Check finds what is wrong with a rule that [Parse] did not make.
func (r Rule) Check() error {
	if !isVerb(r.Verb) {
		return fmt.Errorf("unknown verb %q; the verbs are %s", string(r.Verb), join(Verbs(), ", "))
	}
	k, ok := kindOf(r.Action)
	if !ok {
		return fmt.Errorf("unknown action %q; the actions are %s", string(r.Action), join(actions(), ", "))
	}
	if r.Verb != Any && !k.strikes(r.Verb) {
		return fmt.Errorf("%s is not possible for %s, only for %s", r.Action, r.Verb, join(k.verbs, ", "))
	}
	if r.N < 0 || r.Onward && r.N == 0 {
		return fmt.Errorf("%d is not the number of a call: the first one is 1", r.N)
	}
	return nil
}

func (r *Rule) readArgument(k kind, text string, given bool) error {
	example := fmt.Sprintf("%s:%s", k.action, k.example)
	if given && k.arg == nothing {
		return fmt.Errorf("%s takes no argument, and %q is one", k.action, text)
	}
	if !given && k.arg != maybeDuration && k.arg != maybeText && k.arg != nothing {
		return fmt.Errorf("%s needs an argument, such as %s", k.action, example)
	}
	if !given {
		return nil
	}
	switch k.arg {
	case maybeText:
		r.Text = text
	case apiVersion:
		return r.readVersion(text)
	case exitStatus:
		n, err := strconv.ParseUint(text, 10, 8)
		if err != nil {
			return fmt.Errorf("%q is not an exit status: write a number from 0 to 255, such as %s", text, example)
		}
		r.Status = int(n)
	default:
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 && k.arg != shift || d == 0 {
			return fmt.Errorf("%q is not a duration: write a number and its unit (ms, s, m, h), such as %s", text, example)
		}
		r.Duration = d
	}
	return nil
}

func (r *Rule) readVersion(text string) error {
	if text == "none" {
		return nil
	}
	if !isVersion(text) {
		return fmt.Errorf("%q is not an API version: write one such as api:1.12, or api:none", text)
	}
	r.Text = text
	return nil
}

// isVersion tells whether a text is the number of an API version, such as 1.41.
func isVersion(text string) bool {
	major, minor, ok := strings.Cut(text, ".")
	_, errMajor := strconv.ParseUint(major, 10, 16)
	_, errMinor := strconv.ParseUint(minor, 10, 16)
	return ok && errMajor == nil && errMinor == nil
}

// String returns the text form that [Parse] reads.
func (r Rule) String() string {
	var b strings.Builder
	b.WriteString(string(r.Verb))
	if r.N > 0 {
		fmt.Fprintf(&b, "#%d", r.N)
	}
	if r.Onward {
		b.WriteString("+")
	}
	b.WriteString("=" + string(r.Action))
	k, _ := kindOf(r.Action)
	switch k.arg {
	case duration, maybeDuration, shift:
		if r.Duration != 0 {
			b.WriteString(":" + short(r.Duration))
		}
	case exitStatus:
		fmt.Fprintf(&b, ":%d", r.Status)
	case apiVersion:
		if r.Text == "" {
			b.WriteString(":none")
			break
		}
		b.WriteString(":" + r.Text)
	case maybeText:
		if r.Text != "" {
			b.WriteString(":" + r.Text)
		}
	}
	return b.String()
}

// short is the usual text of a duration without the zeros at its end: 1h, not 1h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// matches tells whether the n-th call of the rule's verb is struck.
func (r Rule) matches(n int) bool {
	return r.N == 0 || n == r.N || r.Onward && n > r.N
}

func isVerb(v Verb) bool {
	for _, known := range Verbs() {
		if v == known {
			return true
		}
	}
	return false
}

func actions() []Action {
	var all []Action
	for _, k := range kinds() {
		all = append(all, k.action)
	}
	return all
}

func join[T ~string](words []T, by string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteString(by)
		}
		b.WriteString(string(w))
	}
	return b.String()
}
