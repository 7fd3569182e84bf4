//go:build !linux

package trust

import (
	"context"
	"errors"
)

func gather(_ context.Context, t Target) evidence {
	return evidence{target: t, ancestors: []Process{{}}, missing: errors.New("this system has no /proc")}
}
