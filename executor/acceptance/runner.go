//go:build acceptance

package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
)

const (
	patience     = 20 * time.Second // without a subscription, before the checks are given up
	killAgain    = 5 * time.Second  // the master forwards KILL without any guarantee
	refuseOffers = 5 * time.Minute  // filter on unused offers; REVIVE clears it
	endLimit     = 20 * time.Second // for tasks that still run at the end
)

// checkCluster runs all checks of all modes and then cleans up.
func checkCluster(ctx context.Context, o options, a *agent, m machine, report *report, notes func(string, ...any)) error {
	f := newFramework(frameworkOptions{
		Master: o.master, Name: "mesos-docker-executor acceptance", User: o.user, Role: o.role, Principal: o.principal,
		Patience: patience, Notes: notes,
	})
	// The subscription outlives an interrupt: killing what runs and TEARDOWN need it.
	stream, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	go f.run(stream)
	r := &runner{
		framework: f, agent: a, options: o, notes: notes,
		run: strings.ToLower(rand.Text()[:8]), mark: rand.Text(), offers: map[string]mesos.Offer{}, tasks: map[string]*transcript{},
	}
	for _, mode := range o.modes {
		r.mode(ctx, mode, m, report)
	}
	r.end(context.WithoutCancel(ctx))
	hangUp()
	for range f.events { // until run has returned
	}
	report.add(leftovers(context.WithoutCancel(ctx), m, r.tasks))
	return nil
}

// runner performs the checks, one after the other. Single-threaded: all its state changes in [runner.step].
type runner struct {
	framework *framework
	agent     *agent
	options   options
	notes     func(format string, a ...any)
	run       string // part of every task id of this run
	mark      string // the secret in the tasks' environment

	wanting bool                   // an offer is needed at the moment; others are declined at once
	offers  map[string]mesos.Offer // usable ones, by id
	seen    []string               // why offers since the last REVIVE were not usable
	tasks   map[string]*transcript // by task id
}

// mode runs every check of one mode, after a look whether the mode can work at all. An interrupt, the overall limit and
// the end of the subscription end it early, with one line for everything that was not run.
func (r *runner) mode(ctx context.Context, m mode, machine machine, report *report) {
	began := time.Now()
	p := prepare(ctx, m, r.agent, machine, r.options.binary)
	if p.err != nil {
		report.add(result{Mode: string(m), Check: "binary", Took: time.Since(began), Detail: p.err.Error()})
		return
	}
	report.add(result{Mode: string(m), Check: "binary", Passed: true, Took: time.Since(began), Detail: p.detail})
	list := checks(r.mark)
	for i, c := range list {
		if why := cmp.Or(context.Cause(ctx), r.framework.failure()); why != nil {
			report.add(result{Mode: string(m), Check: "the rest", Detail: fmt.Sprintf("%d checks not run: %v", len(list)-i, why)})
			return
		}
		report.add(r.perform(ctx, c, m))
	}
}

// perform runs one check to its verdict.
func (r *runner) perform(ctx context.Context, c check, m mode) result {
	began := time.Now()
	res := result{Mode: string(m), Check: c.name}
	t, err := r.launch(ctx, c, m)
	if err == nil {
		r.follow(ctx, c, t)
		res.Task = t.taskID
		res.Detail = t.String()
		wrong := c.expect.judge(t)
		res.Passed = len(wrong) == 0
		res.Wrong = append(wrong, r.advice(res.Passed, t)...)
	} else {
		res.Detail = "not launched: " + err.Error()
	}
	res.Took = time.Since(began)
	return res
}

// launch waits for an offer and accepts it with the check's task.
func (r *runner) launch(ctx context.Context, c check, m mode) (*transcript, error) {
	offer, s, err := r.offer(ctx, c.shape.needs())
	if err != nil {
		return nil, err
	}
	t := &transcript{taskID: fmt.Sprintf("acceptance-%s.%s.%s", r.run, m, c.slug()), ports: s.ports}
	info, err := c.shape.build(m, place{
		taskID: t.taskID, framework: r.framework.id(), agent: r.agent.id, image: r.options.image, binary: r.options.binary, share: s,
	})
	if err != nil {
		return nil, err
	}
	// Recorded before ACCEPT: a call that fails late may still have launched the task.
	r.tasks[t.taskID] = t
	t.began = time.Now()
	accept := calls.Accept(calls.OfferOperations{calls.OpLaunch(info)}.WithOffers(offer.ID)).With(calls.RefuseSeconds(refuseOffers))
	if err := r.framework.call(ctx, accept); err != nil {
		return nil, err
	}
	return t, nil
}

// offer waits for an offer of our agent that holds what is needed.
func (r *runner) offer(ctx context.Context, n needs) (mesos.Offer, share, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.options.offerTimeout, errNoOffer)
	defer cancel()
	r.wanting, r.seen = true, nil
	revived := false
	defer r.quiet(context.WithoutCancel(ctx))
	for {
		for id, o := range r.offers {
			s, err := carve(o, n)
			delete(r.offers, id)
			if err == nil {
				return o, s, nil
			}
			r.seen = append(r.seen, err.Error())
			// Back soon: a task that has just ended gives its resources back in a moment.
			r.call(ctx, calls.Decline(o.ID).With(calls.RefuseSeconds(time.Second)))
		}
		if !revived && r.framework.id() != "" {
			revived = r.call(ctx, calls.Revive()) == nil
		}
		if err := r.step(ctx, nil); err != nil {
			if errors.Is(err, errNoOffer) {
				err = fmt.Errorf("no usable offer in %s: %s", r.options.offerTimeout, offerComplaint(r.framework.id(), r.agent.id, r.seen))
			}
			return mesos.Offer{}, share{}, err
		}
	}
}

var errNoOffer = errors.New("no offer")

// offerComplaint says what is missing when no usable offer came.
func offerComplaint(framework, agent string, seen []string) string {
	switch {
	case framework == "":
		return "the master has not taken the subscription"
	case len(seen) == 0:
		return "none at all came; is the agent active, are its resources all in use or reserved for another role (--role), or is another framework holding the offers?"
	}
	slices.Sort(seen)
	words := ""
	for _, s := range slices.Compact(seen) {
		words += "; " + s
	}
	return "agent " + agent + words
}

// quiet stops the flow of offers until the next check needs one.
func (r *runner) quiet(ctx context.Context) {
	r.wanting = false
	if r.framework.id() != "" {
		r.call(ctx, calls.Suppress())
	}
	for id, o := range r.offers {
		delete(r.offers, id)
		r.call(ctx, calls.Decline(o.ID).With(calls.RefuseSeconds(refuseOffers)))
	}
}

// call sends and notes a failure, for calls whose loss repairs itself.
func (r *runner) call(ctx context.Context, c *scheduler.Call) error {
	err := r.framework.call(ctx, c)
	if err != nil && ctx.Err() == nil {
		r.notes("%v", err)
	}
	return err
}

// follow watches a task to its terminal update, sends the check's KILL, and notes in the transcript why it stopped early.
func (r *runner) follow(ctx context.Context, c check, t *transcript) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.deadline(), fmt.Errorf("no terminal update in %s", c.deadline()))
	defer cancel()
	var wake <-chan time.Time
	armed := false
	for !t.over() {
		if c.kill != nil && !armed && t.first(mesos.TASK_RUNNING) != nil {
			armed, wake = true, time.After(c.kill.after)
		}
		err := r.step(ctx, wake)
		switch {
		case errors.Is(err, errWoken):
			if t.first(mesos.TASK_KILLING) == nil {
				r.kill(ctx, t, c.kill.grace)
			}
			wake = time.After(killAgain)
		case err != nil:
			t.broke = err.Error()
			return
		}
	}
}

// kill sends KILL; grace 0 leaves the grace period to the task.
func (r *runner) kill(ctx context.Context, t *transcript, grace time.Duration) {
	k := calls.Kill(t.taskID, r.agent.id)
	if grace > 0 {
		k.Kill.KillPolicy = killPolicy(grace)
	}
	if r.call(ctx, k) == nil && t.killedAt == 0 {
		t.killedAt = time.Since(t.began)
	}
}

// errWoken is [runner.step]'s answer when wake fired.
var errWoken = errors.New("woken")

// step waits for one event and takes it in. Its error is the context's cause, the framework's failure, or [errWoken].
func (r *runner) step(ctx context.Context, wake <-chan time.Time) error {
	select {
	case e, open := <-r.framework.events:
		if !open {
			return cmp.Or(r.framework.failure(), errors.New("the session with the master has ended"))
		}
		r.take(ctx, e)
		return nil
	case <-wake:
		return errWoken
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *runner) take(ctx context.Context, e event) {
	switch e := e.(type) {
	case resubscribed:
		clear(r.offers)
	case rescinded:
		delete(r.offers, e.offer)
	case updated:
		if t := r.tasks[e.status.TaskID.Value]; t != nil {
			t.add(update{at: time.Since(t.began), status: e.status})
		}
	case offered:
		for _, o := range e.offers {
			if r.wanting && o.AgentID.Value == r.agent.id {
				r.offers[o.ID.Value] = o
				continue
			}
			if r.wanting {
				r.seen = append(r.seen, "an offer came from agent "+o.AgentID.Value)
			}
			r.call(ctx, calls.Decline(o.ID).With(calls.RefuseSeconds(refuseOffers)))
		}
	}
}

// end kills what still runs, waits for it, and tears the framework down.
func (r *runner) end(ctx context.Context) {
	ctx, cancel := context.WithTimeoutCause(ctx, endLimit, errors.New("still running"))
	defer cancel()
	for _, t := range r.tasks {
		for wake := time.After(0); !t.over(); {
			err := r.step(ctx, wake)
			if errors.Is(err, errWoken) {
				r.kill(ctx, t, time.Second)
				wake = time.After(killAgain)
			} else if err != nil {
				r.notes("task %s has not ended: %v; TEARDOWN makes the agent end it", t.taskID, err)
				break
			}
		}
	}
	r.teardown(context.WithoutCancel(ctx))
}

// teardown removes the framework. Without it the master keeps it for the failover timeout.
func (r *runner) teardown(ctx context.Context) {
	if r.framework.id() == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, endLimit)
	defer cancel()
	for {
		if err := r.framework.teardown(ctx); err == nil {
			return
		}
		if err := r.step(ctx, time.After(time.Second)); err != nil && !errors.Is(err, errWoken) {
			r.notes("TEARDOWN was not possible (%v): the master removes framework %s after %.0f s", err, r.framework.id(), failoverTimeout)
			return
		}
	}
}
