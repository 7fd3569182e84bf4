package storage

import (
	"fmt"

	"github.com/docker/go-units"
)

// Pools returns the room in the thin pool of the driver devicemapper, for its data and its metadata; other drivers have none.
// The filesystem of the data root says nothing of it, as the pool is a device of its own. The figures are those of DriverStatus, which have
// four digits; what cannot be read is a room with an error.
func Pools(e Engine) []Room {
	if e.driver() != "devicemapper" {
		return nil
	}
	data := pool(e, "Data", PoolData)
	// devicemapper refuses to make a device if less than this is free (moby's daemon/graphdriver/devmapper/deviceset.go).
	if least := e.status("Thin Pool Minimum Free Space"); least != "" && data.Err == nil {
		data.Floor, data.Err = humanSize("Thin Pool Minimum Free Space", least)
	}
	metadata := pool(e, "Metadata", PoolMetadata)
	metadata.Relative = true
	return []Room{data, metadata}
}

func pool(e Engine, part string, use Use) Room {
	name := e.status("Pool Name")
	if name == "" {
		name = "unnamed pool"
	}
	r := Room{Places: []Place{{Path: name, Use: use}}}
	available, total := part+" Space Available", part+" Space Total"
	if r.Bytes.Free, r.Err = humanSize(available, e.status(available)); r.Err == nil {
		r.Bytes.Total, r.Err = humanSize(total, e.status(total))
	}
	return r
}

// humanSize reads what go-units' HumanSize has written: "70GB", in older engines "70 GB".
func humanSize(name, text string) (uint64, error) {
	bytes, err := units.FromHumanSize(text)
	if err != nil || bytes < 0 {
		return 0, fmt.Errorf("the engine says that %s is %q, which is no size", name, text)
	}
	return uint64(bytes), nil
}
