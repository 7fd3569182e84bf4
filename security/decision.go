package security

// Action is what a rule did with a value.
type Action string

const (
	// Allow: the value is sent as it was asked for.
	Allow Action = "allow"
	// Trim: the value was taken away or lowered; the container runs without it.
	Trim Action = "trim"
	// Force: the policy set a value that the task did not ask for.
	Force Action = "force"
	// Reject: the container must not be created.
	Reject Action = "reject"
	// Lift: the value is sent as it was asked for, because [BreakGlass] lifts what would deny it.
	Lift Action = "lift"
	// Audited: the value is sent as it was asked for, and Finding.Would says what enforcing the policy would have done.
	Audited Action = "audit"
)

// Finding is one decision of one rule.
type Finding struct {
	Action Action `json:"action"`
	// Field is the path in the Spec ("Host.CapAdd[NET_ADMIN]"), or in the TaskInfo where it never reached the Spec. Field,
	// Value and Origin are made safe to show by [Printable], since the task's author chose their text.
	Field string `json:"field"`
	// Value is what was decided about. Never the value of an environment variable.
	Value string `json:"value,omitempty"`
	// Now is what the container gets in place of a value that was lowered; empty for what was taken away, and for all else.
	Now string `json:"now,omitempty"`
	// Rule is the name of the rule that decided.
	Rule string `json:"rule"`
	// Place is where the policy says so ("policy.yaml:14"), "built-in" for what no file says, or "fixed" for what no policy can
	// change.
	Place string `json:"place,omitempty"`
	// Would is what enforcing the policy would have done; only with [Audited].
	Would Action `json:"would,omitempty"`
	// Origin is where the value came from; empty when the task did not ask for it.
	Origin string `json:"origin,omitempty"`
	// Message is a full sentence: what was decided, why, and for a rejection what to write instead.
	Message string `json:"message"`
}

// Decision is the result of a review.
type Decision struct {
	// Spec is what may be sent. It is the zero Spec when anything was rejected, so that it cannot be sent by mistake.
	Spec Spec
	// Findings in the order of the rules, which is the same for the same input.
	Findings []Finding
	// PolicyHash names the policy that decided ("built-in:" and 12 hexadecimal digits).
	PolicyHash string
}

// Rejected reports whether any rule rejected the Spec.
func (d Decision) Rejected() bool { return len(d.Rejections()) > 0 }

// Rejections returns every rejection, not just the first.
func (d Decision) Rejections() []Finding { return d.filter(Reject) }

// Changes returns every trim and every force: what runs differently from what the task's author wrote or left open; and
// every lift and audited finding: what runs only by way of exception.
func (d Decision) Changes() []Finding { return d.filter(Trim, Force, Lift, Audited) }

func (d Decision) filter(actions ...Action) []Finding {
	var found []Finding
	for _, f := range d.Findings {
		for _, a := range actions {
			if f.Action == a {
				found = append(found, f)
			}
		}
	}
	return found
}
