package hostcheck

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"mesos-docker-executor/executor/process"
)

// lookAtClaims tries the lock of each claim, and gives it back at once.
func lookAtClaims(runDirectory string) Claims {
	c := Claims{Folder: filepath.Join(runDirectory, "tasks")}
	all, err := process.ListClaims(c.Folder)
	if err != nil {
		c.Err = err
		return c
	}
	c.Others, c.More = len(all.Others), all.More // what is unfinished is one in a moment, or the next sweep removes it
	for _, id := range all.IDs {
		switch lives, err := claimLives(c.Folder, id); {
		case errors.Is(err, fs.ErrNotExist): // its executor has ended meanwhile
		case err != nil:
			c.Others++
		case lives:
			c.Living++
		default:
			c.Dead = append(c.Dead, id)
		}
	}
	slices.Sort(c.Dead)
	return c
}

func claimLives(folder, id string) (bool, error) {
	claim, err := process.TakeClaim(folder, id)
	switch {
	case errors.Is(err, process.ErrClaimHeld):
		return true, nil
	case err != nil:
		return false, err
	}
	record, err := claim.Record()
	lives := err == nil && record.Lives()
	return lives, claim.Release(false)
}
