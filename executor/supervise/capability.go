package supervise

import (
	"fmt"
	"strings"
)

// explainCapability adds what to do to the words in which an engine refuses a capability, and returns every other error as it
// is. Docker 20.10 knows those up to CAP_AUDIT_READ, which it says when a container is created (moby, oci/caps/utils.go); later
// ones look at their own bounding set as well. What the runtime cannot apply it tells at the start, without a name.
func explainCapability(err error) error {
	const remedy = "remove the capability from the task (or from capabilities.base of the policy), or "
	if err == nil {
		return nil
	}
	said := strings.ToLower(err.Error())
	switch {
	case strings.Contains(said, "invalid capadd") && strings.Contains(said, "unknown capability"):
		return fmt.Errorf("the engine is older than this capability: "+remedy+"install a newer engine: %w", err)
	case strings.Contains(said, "invalid capadd") && strings.Contains(said, "capability not supported"):
		return fmt.Errorf("the engine or its kernel cannot give this capability: "+remedy+"start the engine with it, on a kernel that has it: %w", err)
	case strings.Contains(said, "unable to apply caps"), strings.Contains(said, "apply caps: operation not permitted"):
		return fmt.Errorf("the engine's processes lack a capability that the container was to have (CapBnd in /proc/PID/status): "+remedy+
			"start the engine with it: %w", err)
	}
	return err
}
