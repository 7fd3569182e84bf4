//go:build acceptance

package main

import (
	"fmt"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// needs is what one check takes from an offer, task and executor together.
type needs struct {
	cpus  float64
	memMB float64
	ports int
}

const (
	taskCPUs      = 0.2
	taskMemMB     = 64
	executorCPUs  = 0.1 // what the agent itself adds to a Docker task, and the least that the master takes without a warning
	executorMemMB = 32
)

// pool are the resources of an offer that are still free. Taking from it copies reservation and allocation of each
// resource, as the master wants them back.
type pool []mesos.Resource

func newPool(offered []mesos.Resource) pool {
	var p pool
	for _, r := range offered {
		if r.Revocable == nil && r.Shared == nil && r.Disk == nil {
			p = append(p, r)
		}
	}
	return p
}

// scalar takes amount of a resource such as cpus, from several entries when one does not suffice.
func (p pool) scalar(name string, amount float64) ([]mesos.Resource, error) {
	var taken []mesos.Resource
	missing := amount
	for i := range p {
		if p[i].Name != name || p[i].Scalar == nil || p[i].Scalar.Value <= 0 {
			continue
		}
		part := min(missing, p[i].Scalar.Value)
		piece := p[i]
		piece.Scalar = &mesos.Value_Scalar{Value: part}
		p[i].Scalar = &mesos.Value_Scalar{Value: p[i].Scalar.Value - part}
		taken = append(taken, piece)
		// Mesos counts scalars in thousandths.
		if missing -= part; missing < 0.0005 {
			return taken, nil
		}
	}
	return nil, fmt.Errorf("%.3g of %s, but only %.3g", amount, name, amount-missing)
}

// port takes one port of the ranges.
func (p pool) port() (mesos.Resource, uint32, error) {
	for i := range p {
		if p[i].Name != "ports" || p[i].Ranges == nil {
			continue
		}
		for j, r := range p[i].Ranges.Range {
			if r.Begin > r.End {
				continue
			}
			ranges := append([]mesos.Value_Range{}, p[i].Ranges.Range...)
			ranges[j].Begin++
			p[i].Ranges = &mesos.Value_Ranges{Range: ranges}
			piece := p[i]
			piece.Ranges = &mesos.Value_Ranges{Range: []mesos.Value_Range{{Begin: r.Begin, End: r.Begin}}}
			return piece, uint32(r.Begin), nil
		}
	}
	return mesos.Resource{}, 0, fmt.Errorf("a port, but none")
}

// share is what a check got from an offer.
type share struct {
	task     []mesos.Resource
	executor []mesos.Resource
	ports    []uint32 // host ports among task's resources
}

// carve takes what n needs from an offer. The error says what the offer lacks.
func carve(o mesos.Offer, n needs) (share, error) {
	var s share
	p := newPool(o.Resources)
	for _, part := range []struct {
		into   *[]mesos.Resource
		name   string
		amount float64
	}{
		{&s.task, "cpus", n.cpus - executorCPUs}, {&s.task, "mem", n.memMB - executorMemMB},
		{&s.executor, "cpus", executorCPUs}, {&s.executor, "mem", executorMemMB},
	} {
		taken, err := p.scalar(part.name, part.amount)
		if err != nil {
			return share{}, fmt.Errorf("needs %w is offered", err)
		}
		*part.into = append(*part.into, taken...)
	}
	for range n.ports {
		r, port, err := p.port()
		if err != nil {
			return share{}, fmt.Errorf("needs %w is offered", err)
		}
		s.task = append(s.task, r)
		s.ports = append(s.ports, port)
	}
	return s, nil
}
