package task

import (
	"fmt"

	"mesos-docker-executor/security"
)

// Translated returns what [Decide] has the policy review: the Spec of a TaskInfo that can be translated in full, and what the
// cluster grants it. It is for those who look at a policy alone, such as the bench. Nothing is decided here.
func Translated(raw []byte, in Inputs) (security.Spec, security.Grants, error) {
	t := translation{in: in, spec: security.Spec{Origins: security.Origins{}}}
	if err := decode(raw, &t.task); err != nil {
		return security.Spec{}, security.Grants{}, err
	}
	t.translate()
	if len(t.findings) > 0 {
		return security.Spec{}, security.Grants{}, fmt.Errorf("%s: %s", t.findings[0].Field, t.findings[0].Message)
	}
	return t.spec, security.Grants{Roots: []string{in.SandboxSource}, Binds: t.granted}, nil
}
