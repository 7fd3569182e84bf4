package security

import "testing"

func TestRootIsForbiddenWhereTheRuleIsEnforced(t *testing.T) {
	for _, test := range []struct {
		rules Rules
		want  bool
	}{
		{Rules{}, false},
		{Rules{RunAsNonRoot: true}, true},
		{Rules{RunAsNonRoot: true, Mode: Enforce}, true},
		{Rules{RunAsNonRoot: true, Mode: Audit}, false},
	} {
		if got := New("test", test.rules).ForbidsRoot(); got != test.want {
			t.Errorf("%+v: got %v", test.rules, got)
		}
	}
}
