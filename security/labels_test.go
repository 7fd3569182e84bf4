package security

import (
	"strings"
	"testing"
)

// A container's label that is meant for the task picks nothing, which its author has to be told.
func TestProfileAsAContainersLabelSaysWhereItBelongs(t *testing.T) {
	spec := goodSpec()
	spec.Config.Labels = map[string]string{ProfileLabel: "net-tools"}
	d := BuiltIn().Review(spec, testRoots)
	for _, f := range d.Findings {
		if f.Rule == "labels.reserved" && f.Action == Trim && strings.Contains(f.Message, "picks no profile") && strings.Contains(f.Message, "`labels`") {
			return
		}
	}
	t.Errorf("%+v", d.Findings)
}
