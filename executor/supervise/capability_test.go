package supervise

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestCapabilitiesThatTheEngineRefuses: the words are those of Docker 20.10 and of later ones.
func TestCapabilitiesThatTheEngineRefuses(t *testing.T) {
	for said, want := range map[string]string{
		`invalid CapAdd: unknown capability: "CAP_BPF"`:                                                                                            "install a newer engine",
		`invalid CapAdd: capability not supported by your kernel or not available in the current environment: "CAP_BPF"`:                           "start the engine with it",
		`OCI runtime create failed: runc create failed: unable to start container process: unable to apply caps: operation not permitted: unknown`: "start the engine with it",
		`OCI runtime create failed: container_linux.go:380: starting container process caused: apply caps: operation not permitted: unknown`:       "start the engine with it",
		`No such image: sha256:unknown capability`:                                                                                                 "",
		`invalid CapDrop: CAP_X`: "",
	} {
		refused := fmt.Errorf("create: %w", errors.New(said))
		err := explainCapability(refused)
		if !errors.Is(err, refused) || !strings.Contains(err.Error(), want) || want == "" && err != refused {
			t.Errorf("%s: %v", said, err)
		}
	}
	if err := explainCapability(nil); err != nil {
		t.Error(err)
	}
}
