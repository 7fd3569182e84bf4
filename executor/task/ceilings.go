package task

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"mesos-docker-executor/security"
)

// amount is what a task requests, in thousandths of a CPU and of a MiB.
type amount struct{ cpus, mem int64 }

// limit is one of TaskInfo.limits: how far a task may go beyond its request.
type limit struct {
	thousandths int64
	infinite    bool
}

// ceilings are the limits of a task; nil where it sets none, and the request is the limit.
type ceilings struct{ cpus, mem *limit }

// limits reads TaskInfo.limits by the rules of the master (src/master/validation.cpp, since Mesos 1.10): cpus and mem only,
// each at least the request, infinity for none at all.
func (t *translation) limits(request amount) ceilings {
	var c ceilings
	for _, name := range slices.Sorted(maps.Keys(t.task.Limits)) {
		field := "limits." + security.Printable(name)
		value := t.task.Limits[name].Value
		switch name {
		case "cpus":
			c.cpus = t.limit(field, value, request.cpus, maxCPUs)
		case "mem":
			c.mem = t.limit(field, value, request.mem, maxMemoryMiB)
		default:
			t.invalid(field, "", "Only `cpus` and `mem` can have a limit; remove it.")
		}
	}
	return c
}

func (t *translation) limit(field string, value float64, request, most int64) *limit {
	switch {
	case math.IsInf(value, 1):
		return &limit{infinite: true}
	case math.IsNaN(value) || value < 0 || value > float64(most):
		t.invalid(field, fmt.Sprint(value), "A limit of %v is out of range; write a number from 0 to %d, or infinity.", value, most)
		return nil
	case inThousandths(value) < request:
		t.invalid(field, fmt.Sprint(value), "The limit of %v is below the %v that `resources` request; raise it, or request less.",
			value, float64(request)/scalarsPerUnit)
		return nil
	}
	return &limit{thousandths: inThousandths(value)}
}
