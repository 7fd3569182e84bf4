package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"mesos-docker-executor/executor/enginefault"
)

// script is one life of the soak test, all of it decided beforehand by the seed and the life's number. Times count from the LAUNCH.
type script struct {
	number  int
	begins  time.Duration // of the executor, since the round began
	launch  time.Duration // since the executor began
	program program
	deeds   []deed
	proxied bool
	rules   []enginefault.Rule // of its proxy
	healed  time.Duration      // when its proxy is well again
}

// program is what a life's container runs.
type program struct {
	shell string
	code  int // with which it exits if nobody disturbs it
}

// deed is what befalls a life from outside at a time.
type deed struct {
	at    time.Duration
	what  string // doings below
	grace time.Duration
	fault enginefault.Action // of the proxy as a whole
}

// What a deed can be.
const (
	doKill     = "KILL"
	doShutdown = "SHUTDOWN"
	doSignal   = "SIGTERM to the executor"
	doLose     = "the agent is lost"
	doDie      = "the executor dies"
	doStrike   = "SIGKILL to the container's init by somebody else"
	doOutage   = "the proxy stops" // the grace is its length
)

func (d deed) String() string {
	switch d.what {
	case doKill:
		return fmt.Sprintf("%s with a grace of %s after %s", d.what, d.grace, d.at)
	case doOutage:
		return fmt.Sprintf("%s for %s after %s", d.fault, d.grace, d.at)
	}
	return fmt.Sprintf("%s after %s", d.what, d.at)
}

// String is the script in words.
func (s script) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "life %d: the executor begins at %s, LAUNCH %s later\n  program (exits with %d if undisturbed): %s\n",
		s.number, s.begins, s.launch, s.program.code, s.program.shell)
	if s.proxied {
		fmt.Fprintf(&b, "  through a proxy that is well again after %s", s.healed)
		for _, r := range s.rules {
			fmt.Fprintf(&b, ", %s", r)
		}
		b.WriteString("\n")
	}
	for _, d := range s.deeds {
		fmt.Fprintf(&b, "  %s\n", d)
	}
	return b.String()
}

// calm reports whether nothing but the program decides how the life ends.
func (s script) calm() bool { return len(s.deeds) == 0 && len(s.rules) == 0 }

// acted reports whether somebody was to end the task from outside the container.
func (s script) acted() bool {
	return slices.ContainsFunc(s.deeds, func(d deed) bool { return d.what != doOutage && d.what != doStrike })
}

// mortal reports whether the executor was to die.
func (s script) mortal() bool {
	return slices.ContainsFunc(s.deeds, func(d deed) bool { return d.what == doDie })
}

// dice draws what a script needs.
type dice struct{ *rand.Rand }

// diceFor is the dice of one life or round: the others' have no influence on it, so that it can be played alone.
func diceFor(seed uint64, kind, number int) dice {
	return dice{rand.New(rand.NewPCG(seed, uint64(kind)<<32|uint64(number)))}
}

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

// between draws a time, to the millisecond.
func (d dice) between(low, high time.Duration) time.Duration {
	return low + time.Duration(d.Int64N(int64((high-low)/time.Millisecond)+1))*time.Millisecond
}

// oneOf draws one of several.
func oneOf[T any](d dice, all ...T) T { return all[d.IntN(len(all))] }

// newScript draws a life. Without troubles it is a program and what the agent does.
func newScript(seed uint64, number int, troubles bool) script {
	d := diceFor(seed, 1, number)
	s := script{
		number:  number,
		begins:  d.between(0, 1500*time.Millisecond),
		launch:  oneOf(d, 0, 0, d.between(0, 500*time.Millisecond)),
		program: newProgram(d),
	}
	s.deeds = newDeeds(d)
	if !troubles {
		return s
	}
	s.proxied = d.chance(65)
	if !s.proxied {
		return s
	}
	s.healed = d.between(2*time.Second, 8*time.Second)
	for range oneOf(d, 0, 1, 1, 2) {
		s.rules = append(s.rules, newRule(d))
	}
	if d.chance(30) {
		s.deeds = append(s.deeds, deed{at: d.between(0, 3*time.Second), what: doOutage, grace: d.between(100*time.Millisecond, 4*time.Second),
			fault: oneOf(d, enginefault.Freeze, enginefault.HalfOpen, enginefault.Backlog, enginefault.Down)})
	}
	if len(s.rules) > 1 {
		// Two lies that fit together are a truth to everybody who can't ask the kernel.
		s.rules = slices.DeleteFunc(s.rules, func(r enginefault.Rule) bool { return r.Action == enginefault.Status })
	}
	slices.SortStableFunc(s.deeds, func(a, b deed) int { return int(a.at - b.at) })
	return s
}

// preamble lets the program write down in its sandbox that it began, and with what it exits, right before it does: no other end
// is a proof of an exit with 0.
const preamble = `cd "$MESOS_SANDBOX"; echo began > began; leave() { echo "$1" > status; exit "$1"; }; `

func newProgram(d dice) program {
	code := oneOf(d, 0, 0, 0, 1, 3, 7, 42, 127, 137, 255)
	seconds := fmt.Sprintf("%.2f", d.between(100*time.Millisecond, 3*time.Second).Seconds())
	spins := d.IntN(60) + 1 // of 50 ms
	loop := fmt.Sprintf("i=0; while [ $i -lt %d ]; do i=$((i+1)); sleep 0.05; done; leave %d", spins, code)
	shell := oneOf(d,
		fmt.Sprintf("leave %d", code),
		fmt.Sprintf("sleep %s; leave %d", seconds, code),
		fmt.Sprintf("trap 'leave %d' TERM; %s", oneOf(d, 0, 0, 5, 143), loop),
		"trap '' TERM; "+loop,
		fmt.Sprintf("i=0; while [ $i -lt %d ]; do i=$((i+1)); echo line $i of many; echo another >&2; done; leave %d", 200*spins, code),
		fmt.Sprintf("for i in 1 2 3 4 5; do sleep 60 & done; (trap '' TERM; sleep 60) & sleep %s; leave %d", seconds, code),
		"exec tail /dev/zero",
	)
	if strings.HasPrefix(shell, "exec tail") {
		code = 137
	}
	return program{preamble + shell, code}
}

// newDeeds draws what the agent and others do about the task.
func newDeeds(d dice) []deed {
	at := d.between(0, 3*time.Second)
	grace := oneOf(d, 0, 200*time.Millisecond, time.Second, 2*time.Second)
	switch n := d.IntN(100); {
	case n < 30:
		all := []deed{{at: at, what: doKill, grace: grace}}
		if d.chance(25) {
			all = append(all, deed{at: at + d.between(0, time.Second), what: doKill})
		}
		return all
	case n < 38:
		return []deed{{at: at, what: doShutdown}}
	case n < 46:
		return []deed{{at: at, what: doSignal}}
	case n < 54:
		return []deed{{at: at, what: doLose}}
	case n < 61:
		return []deed{{at: at, what: doDie}}
	case n < 66:
		return []deed{{at: at, what: doStrike}}
	}
	return nil
}

// newRule draws a fault of single calls, or one that begins with a call.
func newRule(d dice) enginefault.Rule {
	for {
		r := enginefault.Rule{
			Verb: oneOf(d, enginefault.Verbs()...),
			N:    oneOf(d, 0, 1, 1, 1, 2, 3),
			Action: oneOf(d, enginefault.Delay, enginefault.DelayAnswer, enginefault.Hang, enginefault.HangAnswer,
				enginefault.Cut, enginefault.CutAnswer, enginefault.CutBody, enginefault.Error500, enginefault.Error502,
				enginefault.Truncated, enginefault.Object, enginefault.Empty, enginefault.NoContent, enginefault.API,
				enginefault.Status, enginefault.Clock, enginefault.Twice,
				enginefault.Freeze, enginefault.HalfOpen, enginefault.Backlog, enginefault.Down),
			Duration: d.between(50*time.Millisecond, 4*time.Second),
			Status:   oneOf(d, 0, 0, 9),
		}
		r.Onward = r.N > 0 && d.chance(25)
		if r.Check() == nil && !(r.Verb == enginefault.Any && r.Action == enginefault.Status) {
			return r
		}
	}
}
