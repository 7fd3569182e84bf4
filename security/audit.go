package security

// What a rule does with a value that it does not let through depends on whether other rules could: [review.reject] is for
// what none could and for values that cannot be sent as they are, and holds in every mode. All else goes through
// [review.deny] or [review.acts], which in audit mode leave it at a finding. So a rule that nobody thought of audit mode for
// is enforced.

// deny rejects what other rules could allow. It reports whether that counts; if not, the value is to be taken as asked for.
func (r *review) deny(field, value, rule, format string, args ...any) bool {
	r.found(Reject, field, value, rule, format, args...)
	return r.acts()
}

// acts reports whether the last finding changes what the container gets. In audit mode it does not, and says what would have been.
func (r *review) acts() bool {
	if r.rules.Mode != Audit {
		return true
	}
	last := &r.findings[len(r.findings)-1]
	last.Action, last.Would = Audited, last.Action
	if last.Would == Reject {
		r.exceptions++
	}
	return false
}

// isException reports whether a field is sent only by way of exception, which then is the finding about it.
func (r *review) isException(field string) bool {
	if r.exceptions == 0 {
		return false
	}
	field = Printable(field)
	for _, f := range r.findings {
		if (f.Would == Reject || f.Action == Lift) && f.Field == field {
			return true
		}
	}
	return false
}
