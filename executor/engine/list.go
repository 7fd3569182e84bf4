package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/docker/docker/client"
)

// Listed is a container in a list.
type Listed struct {
	ID     string            // 64 hex digits
	Names  []string          // without the leading "/"
	Labels map[string]string // all of them
	State  string            // "created" "running" "paused" "restarting" "removing" "exited" "dead"
}

// List returns the containers, in whatever state, that carry a label, "key" or "key=value". The daemon answers without waiting for any
// container, a wedged one among them. An answer that is broken in any part is an error as a whole: whoever cleans up by it must
// not take a container for gone, nor touch one that does not carry the label.
func (e *Engine) List(ctx context.Context, label string) ([]Listed, error) {
	query := func() (url.Values, error) {
		if key, _, _ := strings.Cut(label, "="); key == "" {
			return nil, fmt.Errorf("label %q has no key", label)
		}
		filters, err := json.Marshal(map[string]map[string]bool{"label": {label: true}})
		return url.Values{"filters": {string(filters)}}, err
	}
	return list(ctx, e, "list", "/containers/json", query, func(answer []byte) ([]Listed, error) { return listOf(answer, label) })
}

// list asks for all things of a kind, in whatever state, and reads the answer.
func list[T any](ctx context.Context, e *Engine, name, path string, query func() (url.Values, error), read func([]byte) (T, error)) (found T, err error) {
	kind := call{name: name, limit: e.limits.List, accept: []int{http.StatusOK}}
	err = e.do(ctx, kind, func(ctx context.Context) error {
		p, err := e.docker()
		if err != nil {
			return err
		}
		which, err := query()
		if err != nil {
			return err
		}
		which.Set("all", "1")
		answer, err := e.get(ctx, p, path+"?"+which.Encode())
		if err != nil {
			return err
		}
		text, err := io.ReadAll(answer)
		if err != nil {
			return err
		}
		found, err = read(text)
		return err
	})
	return found, err
}

// everything filters nothing.
func everything() (url.Values, error) { return url.Values{}, nil }

// get does not use the Docker client, whose types for answers describe everything from plugins to swarms: encoding/json keeps what it
// learned of them, a sixth of an idle executor's heap. The answer is in memory, so there is nothing to close.
func (e *Engine) get(ctx context.Context, p *protocol, path string) (answer io.Reader, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+client.DummyHost+"/v"+p.version+path, nil)
	if err != nil {
		return nil, err
	}
	said, err := e.guard.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	return said.Body, nil
}

// listOf checks an answer: an empty list is "[]", and nothing else.
func listOf(answer []byte, label string) ([]Listed, error) {
	var all []Listed
	if err := json.Unmarshal(answer, &all); err != nil {
		return nil, fmt.Errorf("the answer is no list: %w", err)
	}
	if all == nil {
		return nil, errors.New("the answer is no list but null")
	}
	key, value, exact := strings.Cut(label, "=")
	for _, one := range all {
		has, carries := one.Labels[key]
		switch {
		case !isFullID(one.ID):
			return nil, fmt.Errorf("the answer has an entry with the ID %q", shorten(one.ID))
		case one.State == "":
			return nil, fmt.Errorf("the answer lacks the state of %s", one.ID)
		case !carries || exact && has != value:
			return nil, fmt.Errorf("the answer has %s, which does not carry the label %s", one.ID, label)
		}
		for i, name := range one.Names {
			one.Names[i] = strings.TrimPrefix(name, "/")
		}
	}
	return all, nil
}
