package enginefault

import (
	"strings"
	"testing"
	"time"
)

func TestRulesAreReadAndPrinted(t *testing.T) {
	for text, want := range map[string]Rule{
		"create=hang":           {Verb: Create, Action: Hang},
		"start#1=delay:10s":     {Verb: Start, N: 1, Action: Delay, Duration: 10 * time.Second},
		"any=delay:1h30m":       {Verb: Any, Action: Delay, Duration: 90 * time.Minute},
		"any=delay:2h":          {Verb: Any, Action: Delay, Duration: 2 * time.Hour},
		"inspect#2+=empty":      {Verb: Inspect, N: 2, Onward: true, Action: Empty},
		"info=500":              {Verb: Info, Action: Error500},
		"create=500:no: space=": {Verb: Create, Action: Error500, Text: "no: space="},
		"pull=502":              {Verb: Pull, Action: Error502},
		"list={}":               {Verb: List, Action: Object},
		"kill=204":              {Verb: Kill, Action: NoContent},
		"wait=status:0":         {Verb: Wait, Action: Status},
		"any=status:255":        {Verb: Any, Action: Status, Status: 255},
		"ping=api:1.12":         {Verb: Ping, Action: API, Text: "1.12"},
		"ping=api:none":         {Verb: Ping, Action: API},
		"inspect=clock:-1h30m":  {Verb: Inspect, Action: Clock, Duration: -90 * time.Minute},
		"start=freeze":          {Verb: Start, Action: Freeze},
		"start=freeze:20s":      {Verb: Start, Action: Freeze, Duration: 20 * time.Second},
		"logs=half-open:1ms":    {Verb: Logs, Action: HalfOpen, Duration: time.Millisecond},
		"version=down":          {Verb: Version, Action: Down},
		"attach=cut-body":       {Verb: Attach, Action: CutBody},
	} {
		got, err := Parse(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if got.String() != text {
			t.Errorf("%s is printed as %s", text, got)
		}
	}
}

func TestErrorsOfRulesNameTheWrongPartAndWhatIsPossible(t *testing.T) {
	for text, want := range map[string]string{
		"":                   `there is no "="`,
		"create":             `there is no "="`,
		"create:hang":        `there is no "="`,
		"=hang":              `unknown verb ""; the verbs are ping, version`,
		"strat=hang":         `unknown verb "strat"; the verbs are ping, version`,
		"start=hagn":         `unknown action "hagn"; the actions are delay, delay-answer`,
		"start=":             `unknown action ""`,
		"start#=hang":        `"#" is not the number of a call: write #1`,
		"start#0=hang":       `"#0" is not the number of a call`,
		"start#-1=hang":      `"#-1" is not the number of a call`,
		"start#+=hang":       `"#+" is not the number of a call`,
		"start#1#2=hang":     `"#1#2" is not the number of a call`,
		"start=hang:5s":      `hang takes no argument, and "5s" is one`,
		"start=delay":        "delay needs an argument, such as delay:10s",
		"start=delay:":       `"" is not a duration`,
		"start=delay:10":     `"10" is not a duration: write a number and its unit (ms, s, m, h), such as delay:10s`,
		"start=delay:-1s":    `"-1s" is not a duration`,
		"start=freeze:0s":    `"0s" is not a duration`,
		"start=status:0":     "status is not possible for start, only for wait, inspect",
		"wait=status":        "status needs an argument, such as status:0",
		"wait=status:256":    `"256" is not an exit status: write a number from 0 to 255`,
		"wait=clock:1s":      "clock is not possible for wait, only for inspect",
		"start=truncated":    "truncated is not possible for start, only for version,",
		"ping=api:new":       `"new" is not an API version: write one such as api:1.12, or api:none`,
		"start=freeze:after": `"after" is not a duration`,
	} {
		_, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestEveryActionHasAValidExample(t *testing.T) {
	for _, k := range kinds() {
		verb := Any
		if len(k.verbs) > 0 {
			verb = k.verbs[0]
		}
		text := string(verb) + "=" + string(k.action)
		if k.example != "" {
			text += ":" + k.example
		}
		if _, err := Parse(text); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("start#1+=delay:10s")
	f.Add("wait=status:0")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(r.String())
		if err != nil || again != r {
			t.Errorf("%q is printed as %q, which is %+v, %v", text, r, again, err)
		}
	})
}
