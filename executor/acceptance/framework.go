//go:build acceptance

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/encoding"
	"github.com/mesos/mesos-go/api/v1/lib/encoding/codecs"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/apierrors"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpsched"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
)

const (
	schedulerPath   = "/api/v1/scheduler"
	callLimit       = 15 * time.Second // for one call to be answered
	heartbeat       = 15 * time.Second // when SUBSCRIBED names no interval (the master's constant since 0.24)
	missedBeats     = 4                // intervals of silence after which a stream counts as dead
	failoverTimeout = 60.0             // seconds the master keeps tasks of a framework that vanished
)

// event is what a framework's owner learns from the master: [offered], [rescinded], [updated] or [resubscribed].
type event interface{ event() }

type (
	offered   struct{ offers []mesos.Offer }
	rescinded struct{ offer string }
	// updated is a task's status. It is acknowledged already, and comes twice when that acknowledgement was lost.
	updated struct{ status mesos.TaskStatus }
	// resubscribed says that the connection was lost and is back: offers from before are void.
	resubscribed struct{}
)

func (offered) event()      {}
func (rescinded) event()    {}
func (updated) event()      {}
func (resubscribed) event() {}

// errNotSubscribed is the answer to a call while there is no subscription.
var errNotSubscribed = errors.New("not subscribed to the master at the moment")

// frameworkOptions describe a framework.
type frameworkOptions struct {
	Master    string // host:port; need not be the leader
	Name      string
	User      string
	Role      string
	Principal string        // empty for none
	Patience  time.Duration // without a subscription, before giving up
	Notes     func(format string, a ...any)
}

// framework is the conversation with the master: one subscription at a time, found again after each loss, on whichever
// master leads. [framework.run] owns it; [framework.call] may be used from any goroutine.
type framework struct {
	opts frameworkOptions
	http *http.Client
	// events hands over what the master says, in order. Closed when run returns.
	events chan event

	mu     sync.Mutex
	info   mesos.FrameworkInfo // its ID is set by the first SUBSCRIBED
	caller calls.Caller        // nil while not subscribed
	leader string              // host:port named by a redirect; empty = as configured
	ending bool                // TEARDOWN was sent: the end of the stream is no loss
	err    error               // why run gave up
}

func newFramework(o frameworkOptions) *framework {
	f := &framework{opts: o, events: make(chan event, 64)}
	f.http = &http.Client{
		Transport: &http.Transport{
			// No proxy: a proxy between scheduler and master cuts the stream that never ends.
			Proxy:                 nil,
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 10 * time.Second}).DialContext,
			ResponseHeaderTimeout: callLimit,
			MaxIdleConnsPerHost:   2,
			IdleConnTimeout:       time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	checkpoint, failover := true, failoverTimeout
	f.info = mesos.FrameworkInfo{
		User: o.User, Name: o.Name, Roles: []string{o.Role}, Checkpoint: &checkpoint, FailoverTimeout: &failover,
		Capabilities: []mesos.FrameworkInfo_Capability{
			{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE},
			{Type: mesos.FrameworkInfo_Capability_TASK_KILLING_STATE},
			{Type: mesos.FrameworkInfo_Capability_PARTITION_AWARE},
		},
	}
	if o.Principal != "" {
		f.info.Principal = &o.Principal
	}
	return f
}

// id is the framework's id, empty before the first subscription.
func (f *framework) id() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.info.GetID().GetValue()
}

// failure says why run gave up, nil while it has not.
func (f *framework) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// run subscribes, and again after each loss, until ctx ends or the master's refusal is final. It blocks; events must be
// read meanwhile.
func (f *framework) run(ctx context.Context) {
	defer close(f.events)
	defer f.http.CloseIdleConnections()
	lost, pause := time.Now(), 250*time.Millisecond
	for {
		subscribedOnce, redirected, err := f.subscription(ctx)
		if ctx.Err() != nil || f.tornDown() {
			return
		}
		if subscribedOnce {
			lost, pause = time.Now(), 250*time.Millisecond
		}
		if isFinal(err) || time.Since(lost) > f.opts.Patience {
			f.fail(fmt.Errorf("no subscription with the Mesos master at %s: %w", f.opts.Master, err))
			return
		}
		if redirected {
			continue
		}
		f.opts.Notes("subscription at %s: %v; trying again", f.endpoint(), err)
		f.follow("") // a leader that fails may be none any more: ask the configured master again
		select {
		case <-time.After(pause + rand.N(pause)):
			pause = min(2*pause, 4*time.Second)
		case <-ctx.Done():
			return
		}
	}
}

// teardown removes the framework from the master, which makes its agents end all its executors. run ends with it.
func (f *framework) teardown(ctx context.Context) error {
	f.setTornDown(true)
	err := f.call(ctx, &scheduler.Call{Type: scheduler.Call_TEARDOWN})
	if err != nil {
		f.setTornDown(false)
	}
	return err
}

func (f *framework) setTornDown(ending bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ending = ending
}

func (f *framework) tornDown() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ending
}

func (f *framework) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// refusal is the master's own ERROR event.
type refusal struct{ message string }

func (r refusal) Error() string { return "the master refuses this framework: " + r.message }

// isFinal says whether trying to subscribe again is pointless.
func isFinal(err error) bool {
	var refused refusal
	if errors.As(err, &refused) {
		return true
	}
	for _, code := range []apierrors.Code{
		apierrors.CodeMalformedRequest, apierrors.CodeNotAuthenticated, apierrors.CodeUnsubscribed,
		apierrors.CodeUnsupportedMediaType, apierrors.CodeIncompatibleVersion,
	} {
		if err != nil && code.Matches(err) {
			return true
		}
	}
	return false
}

// subscription is one SUBSCRIBE and its stream to the end. subscribed says whether the master took it.
func (f *framework) subscription(ctx context.Context) (subscribed, redirected bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	before := f.endpoint()
	// A fresh caller for each subscription: the one of httpsched sends later calls to the address it was made with, also
	// when its SUBSCRIBE was redirected, so redirects are followed here and never inside it.
	caller := httpsched.NewCaller(
		httpcli.New(
			httpcli.Endpoint(before),
			httpcli.Codec(codecs.ByMediaType[codecs.MediaTypeProtobuf]),
			httpcli.Do(f.do)),
		httpsched.MaxRedirects(0),
		httpsched.EndpointCandidates(func() string { return "" }))

	f.mu.Lock()
	info := f.info
	f.mu.Unlock()
	stream, err := caller.Call(ctx, calls.Subscribe(&info))
	if stream != nil {
		defer stream.Close()
	}
	if err != nil {
		return false, f.endpoint() != before, err
	}
	defer f.disconnected(caller)

	silence := time.AfterFunc(callLimit, func() { cancel(errors.New("the master fell silent")) })
	defer silence.Stop()
	limit := callLimit
	for {
		var e scheduler.Event
		if err := encoding.Decoder(stream).Decode(&e); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return subscribed, f.endpoint() != before, fmt.Errorf("event stream: %w", err)
		}
		if e.Type == scheduler.Event_SUBSCRIBED {
			limit = missedBeats * interval(e.GetSubscribed())
			f.connected(ctx, caller, e.GetSubscribed(), subscribed)
			subscribed = true
		}
		silence.Reset(limit)
		if err := f.handle(ctx, &e); err != nil {
			return subscribed, false, err
		}
	}
}

func interval(s *scheduler.Event_Subscribed) time.Duration {
	if s != nil && s.HeartbeatIntervalSeconds != nil && *s.HeartbeatIntervalSeconds > 0 {
		return time.Duration(*s.HeartbeatIntervalSeconds * float64(time.Second))
	}
	return heartbeat
}

// do sends one request and remembers the leader that a 307 names.
func (f *framework) do(r *http.Request) (*http.Response, error) {
	answer, err := f.http.Do(r)
	if err == nil && answer.StatusCode == http.StatusTemporaryRedirect {
		if to, err := url.Parse(answer.Header.Get("Location")); err == nil && to.Host != "" {
			f.follow(to.Host)
		}
	}
	return answer, err
}

func (f *framework) follow(leader string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leader = leader
}

func (f *framework) endpoint() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return "http://" + firstOf(f.leader, f.opts.Master) + schedulerPath
}

func (f *framework) connected(ctx context.Context, caller calls.Caller, s *scheduler.Event_Subscribed, repeated bool) {
	f.mu.Lock()
	again := f.info.ID != nil && !repeated
	f.info.ID = s.GetFrameworkID()
	f.caller = caller
	f.mu.Unlock()
	if again {
		f.emit(ctx, resubscribed{})
	}
}

func (f *framework) disconnected(caller calls.Caller) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.caller == caller {
		f.caller = nil
	}
}

// handle acknowledges and passes on one event. Kinds that concern no check are ignored, also ones yet unknown.
func (f *framework) handle(ctx context.Context, e *scheduler.Event) error {
	switch e.Type {
	case scheduler.Event_OFFERS:
		f.emit(ctx, offered{e.GetOffers().GetOffers()})
	case scheduler.Event_RESCIND:
		f.emit(ctx, rescinded{e.GetRescind().GetOfferID().Value})
	case scheduler.Event_UPDATE:
		status := e.GetUpdate().GetStatus()
		f.acknowledge(ctx, status)
		f.emit(ctx, updated{status})
	case scheduler.Event_ERROR:
		return refusal{e.GetError().GetMessage()}
	}
	return nil
}

// acknowledge takes responsibility for an update. A lost acknowledgement does no harm: the agent sends the update again.
// Updates without uuid are the master's own and must not be acknowledged.
func (f *framework) acknowledge(ctx context.Context, s mesos.TaskStatus) {
	if len(s.UUID) == 0 || s.AgentID == nil {
		return
	}
	if err := f.call(ctx, calls.Acknowledge(s.AgentID.Value, s.TaskID.Value, s.UUID)); err != nil {
		f.opts.Notes("acknowledge %s of %s: %v", s.GetState(), s.TaskID.Value, err)
	}
}

func (f *framework) emit(ctx context.Context, e event) {
	select {
	case f.events <- e:
	case <-ctx.Done():
	}
}

// call sends anything but SUBSCRIBE, limited to [callLimit]. nil means that the master took the call (202), not that it
// acted on it.
func (f *framework) call(ctx context.Context, c *scheduler.Call) error {
	f.mu.Lock()
	caller, id := f.caller, f.info.ID
	f.mu.Unlock()
	if caller == nil {
		return errNotSubscribed
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	c.FrameworkID = id
	answer, err := caller.Call(ctx, c)
	if answer != nil {
		answer.Close()
	}
	if err != nil {
		return fmt.Errorf("call %s: %w", c.Type, err)
	}
	return nil
}
