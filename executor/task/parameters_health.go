package task

import (
	"time"

	"github.com/docker/docker/api/types/container"
)

const healthField = "Config.Healthcheck"

// healthFlags are those of the health check that the Docker daemon performs, which is another than the TaskInfo's.
func healthFlags() []flag {
	return []flag{
		{name: "health-cmd", kind: single, secret: true, set: (*dockerRun).setHealthCommand},
		{name: "health-interval", kind: single, set: setHealthTime(func(h *container.HealthConfig) *time.Duration { return &h.Interval })},
		{name: "health-retries", kind: single, set: (*dockerRun).setHealthRetries},
		{name: "health-start-interval", kind: single, set: setHealthTime(func(h *container.HealthConfig) *time.Duration { return &h.StartInterval })},
		{name: "health-start-period", kind: single, set: setHealthTime(func(h *container.HealthConfig) *time.Duration { return &h.StartPeriod })},
		{name: "health-timeout", kind: single, set: setHealthTime(func(h *container.HealthConfig) *time.Duration { return &h.Timeout })},
		{name: "no-healthcheck", kind: onOff, when: late, set: (*dockerRun).setNoHealthcheck},
	}
}

// health returns the health check to write to: every flag but no-healthcheck is a part of it.
func (r *dockerRun) health(p parameter) *container.HealthConfig {
	if r.spec.Config.Healthcheck == nil {
		r.spec.Config.Healthcheck = &container.HealthConfig{}
		r.origin(healthField, p.origin())
	}
	return r.spec.Config.Healthcheck
}

func (r *dockerRun) setHealthCommand(p parameter) {
	if p.value != "" {
		r.health(p).Test = []string{"CMD-SHELL", p.value}
	}
}

// setHealthTime makes the translation of a duration; 0 is the daemon's default.
func setHealthTime(at func(*container.HealthConfig) *time.Duration) func(*dockerRun, parameter) {
	return func(r *dockerRun, p parameter) {
		if d, ok := r.duration(p); ok && d != 0 {
			*at(r.health(p)) = d
		}
	}
}

func (r *dockerRun) setHealthRetries(p parameter) {
	if n, ok := r.whole(p, 0, 1<<31-1, "write a number of 0 or more"); ok && n != 0 {
		r.health(p).Retries = int(n)
	}
}

func (r *dockerRun) setNoHealthcheck(p parameter) {
	on, ok := r.boolean(p)
	switch {
	case !ok || !on:
	case r.spec.Config.Healthcheck != nil:
		r.contradicts(p, healthField, "")
	default:
		r.health(p).Test = []string{"NONE"}
	}
}
