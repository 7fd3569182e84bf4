package enginefault

import "slices"

// Action is what happens to a call that a rule strikes.
type Action string

// The actions. Those named "...answer" let the engine carry the call out and act on its answer.
const (
	Delay       Action = "delay"        // pass it on after a while, even if the client has gone
	DelayAnswer Action = "delay-answer" // hand the answer over after a while
	Hang        Action = "hang"         // do not pass it on; [Proxy.Release] does, even if the client has gone
	HangAnswer  Action = "hang-answer"  // keep the answer until [Proxy.Release]
	Cut         Action = "cut"          // close the connection instead of passing it on
	CutAnswer   Action = "cut-answer"   // close the connection instead of handing the answer over
	CutBody     Action = "cut-body"     // close it in the middle of the answer: of its body, or of its head if it has no body

	Error500  Action = "500"       // refuse it as Docker does, with a message; the engine does not see it
	Error502  Action = "502"       // answer as a web proxy does; the engine does not see it
	Truncated Action = "truncated" // hand over half of the answer's JSON, in a complete HTTP answer
	Object    Action = "{}"        // the answer is an empty JSON object
	Empty     Action = "empty"     // the answer is 200 without a body
	NoContent Action = "204"       // the answer is 204
	API       Action = "api"       // the header Api-Version says something else, or is missing
	Status    Action = "status"    // a false exit status
	Clock     Action = "clock"     // the time at which the container finished is shifted
	Twice     Action = "twice"     // the engine gets it a second time; the client sees the first answer

	Freeze   Action = "freeze"    // from here on nothing passes in any direction, until [Proxy.Thaw]
	HalfOpen Action = "half-open" // from here on nobody accepts connections any more; open ones work
	Backlog  Action = "backlog"   // from here on connecting fails because the queue is full (EAGAIN); open connections work
	Down     Action = "down"      // open connections are cut, new ones refused
)

// argument is what stands behind the colon.
type argument int

const (
	nothing argument = iota
	duration
	maybeDuration
	shift
	exitStatus
	apiVersion
	maybeText
)

// kind describes an action.
type kind struct {
	action  Action
	arg     argument
	example string // of the argument
	verbs   []Verb // that it can strike; empty: all
	text    string
}

// kinds is the table of the actions. Its texts are the help for operators.
func kinds() []kind {
	withJSON := []Verb{Version, Info, Image, Pull, Create, Wait, Inspect, List}
	return []kind{
		{Delay, duration, "10s", nil, "the engine gets the call that much later, even if the executor has given up"},
		{DelayAnswer, duration, "10s", nil, "the engine acts at once, its answer comes that much later"},
		{Hang, nothing, "", nil, "the engine never gets the call, and no answer comes"},
		{HangAnswer, nothing, "", nil, "the engine acts, its answer never comes"},
		{Cut, nothing, "", nil, "the connection is closed, the engine does not get the call"},
		{CutAnswer, nothing, "", nil, "the engine acts, then the connection is closed without an answer"},
		{CutBody, nothing, "", nil, "the engine acts, the connection is closed in the middle of its answer"},
		{Error500, maybeText, "no space left on device", nil, "Docker's refusal, with this message; the engine does not get the call"},
		{Error502, nothing, "", nil, "the HTML page of a web proxy; the engine does not get the call"},
		{Truncated, nothing, "", withJSON, "the engine acts, half of its JSON is missing"},
		{Object, nothing, "", nil, "the engine acts, the answer is {}"},
		{Empty, nothing, "", nil, "the engine acts, the answer is 200 without a body"},
		{NoContent, nothing, "", nil, "the engine acts, the answer is 204 No Content"},
		{API, apiVersion, "1.12", nil, "the answer names this API version; api:none for no version"},
		{Status, exitStatus, "0", []Verb{Wait, Inspect}, "the answer names this exit status for a container that has ended"},
		{Clock, shift, "-1h", []Verb{Inspect}, "the container's FinishedAt is shifted, as after a step of the clock"},
		{Twice, nothing, "", nil, "the engine gets the call twice, the first answer counts"},
		{Freeze, maybeDuration, "20s", nil, "from this call on the engine hangs in everything, also in open connections"},
		{HalfOpen, maybeDuration, "20s", nil, "from this call on connections are not served; open ones go on"},
		{Backlog, maybeDuration, "20s", nil, "from this call on connecting fails, the queue is full; open connections go on"},
		{Down, maybeDuration, "20s", nil, "as if the engine had died: open connections are cut, new ones refused"},
	}
}

func kindOf(a Action) (kind, bool) {
	for _, k := range kinds() {
		if k.action == a {
			return k, true
		}
	}
	return kind{}, false
}

// strikes tells whether the action has a meaning for a call.
func (k kind) strikes(v Verb) bool { return len(k.verbs) == 0 || slices.Contains(k.verbs, v) }

// holds tells whether the action keeps the call from the engine for a while.
func (a Action) holds() bool {
	switch a {
	case Delay, Hang, Freeze, HalfOpen, Backlog:
		return true
	}
	return false
}
