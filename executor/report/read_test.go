package report

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadSaysWhatIsWrongWithAFile(t *testing.T) {
	whole, err := Encode(small())
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ text, want string }{
		"empty":            {"", "is empty; copy it again, or read mesos-docker-executor.log beside it"},
		"blank":            {" \n", "is empty; copy it again, or read mesos-docker-executor.log beside it"},
		"truncated":        {string(whole[:100]), "is not whole: it ends within the report, after 100 bytes; copy it again, or read mesos-docker-executor.log beside it"},
		"damaged":          {strings.Replace(string(whole), ":", "\x1b", 1), "is damaged: no JSON at byte 14; copy it again, or read mesos-docker-executor.log beside it"},
		"two of them":      {string(whole) + string(whole), "is damaged: no JSON at byte 264; copy it again, or read mesos-docker-executor.log beside it"},
		"text":             {"root:x:0:0:\x1b[2J", "is no report: it is no JSON object; name a sandbox, or the file mesos-docker-executor-report.json in it"},
		"other JSON":       {"[1]", "is no report: it is no JSON object; name a sandbox, or the file mesos-docker-executor-report.json in it"},
		"another object":   {`{"a": 1}`, "is no report: it has no version; name a sandbox, or the file mesos-docker-executor-report.json in it"},
		"a TaskInfo":       {`{"version": 1, "name": "x"}`, "is no report: it has no state; name a sandbox, or the file mesos-docker-executor-report.json in it"},
		"wrong type":       {`{"version": 1, "state": "X", "events": "y"}`, "is no report: a wrong type at byte 42; name a sandbox, or the file mesos-docker-executor-report.json in it"},
		"version of text":  {`{"version": "1"}`, "is no report: a wrong type at byte 15; name a sandbox, or the file mesos-docker-executor-report.json in it"},
		"malformed time":   {`{"version": 1, "state": "X", "began": "\u001b[2J"}`, "is no report: a value in it, such as a time, is malformed; name a sandbox, or the file mesos-docker-executor-report.json in it"},
		"time off the end": {`{"version": 1, "state": "X", "began": "9999-12-31T23:59:59-23:00"}`, "is no report: a time in it is out of range; name a sandbox, or the file mesos-docker-executor-report.json in it"},
		"newer":            {`{"version": 7, "executor_version": "v9\u001b", "events": "of another type"}`, `is of format version 7, and this program reads version 1; use the mesos-docker-executor that wrote it, v9\x1b`},
		"newer, by nobody": {`{"version": 7, "executor_version": 9}`, `is of format version 7, and this program reads version 1; use the mesos-docker-executor that wrote it`},
		"too large":        {`{"a": "` + strings.Repeat("x", MaxSize) + `"}`, "is no report: it has more than 1 MiB; name a sandbox, or the file mesos-docker-executor-report.json in it"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Read(strings.NewReader(tc.text))
			if err == nil || err.Error() != tc.want {
				t.Fatalf("%+v, %v\nwant %s", r, err, tc.want)
			}
			harmless(t, err.Error())
		})
	}
}

func TestReadPassesTheReadersErrorOn(t *testing.T) {
	if _, err := Read(iotest.ErrReader(os.ErrDeadlineExceeded)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func TestFieldsOfANewerProgramAreIgnored(t *testing.T) {
	r, err := Read(strings.NewReader(`{"version": 1, "state": "TASK_FAILED", "new": [{}], "events": [{"text": "x", "new": 1}]}`))
	if err != nil || r.State != "TASK_FAILED" || r.Events[0].Text != "x" {
		t.Errorf("%+v, %v", r, err)
	}
}

// Whatever is read can be shown without harm, and written again as it is.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(examples, "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatalf("%v, %v", files, err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		f.Add(text[:len(text)/2])
	}
	f.Add([]byte(`{"version":1,"state":"\u001b]0;x\u0007","began":"0000-01-01T00:00:00+23:59","calls":[{"took_ms":9223372036854775807},{"took_ms":-1}]}`))
	f.Add([]byte(`{"version":1,"state":"x","events_dropped":1,"events":[null,{"at":"9999-12-31T23:59:59Z"},{"at":null}],"output":{"stdout":{"bytes":-1,"last":["\r\n"]}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Read(bytes.NewReader(text))
		if err != nil {
			harmless(t, err.Error())
			return
		}
		once, err := Encode(r)
		if err != nil || len(once) > MaxSize {
			t.Fatalf("%d bytes, %v", len(once), err)
		}
		again, err := Read(bytes.NewReader(once))
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := Encode(again); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%v: %s\n%s", err, once, twice)
		}
		harmless(t, rendered(t, r, 60, false))
		harmless(t, rendered(t, r, 0, false))
	})
}
