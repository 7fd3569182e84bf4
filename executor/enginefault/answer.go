package enginefault

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	maxBody  = 16 << 20 // bytes of an answer that is changed
	someHTML = "text/html"
	someJSON = "application/json"
)

// refuse answers as Docker does when it cannot carry a call out.
func (v *visit) refuse(message string) {
	if message == "" {
		message = "the engine was told to fail"
	}
	text, _ := json.Marshal(map[string]string{"message": message}) // strings can be marshalled
	v.answer(http.StatusInternalServerError, someJSON, string(text)+"\n")
}

// answer sends a whole answer and ends the connection.
func (v *visit) answer(status int, contentType, body string) {
	if !v.p.mayFlow() {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	if status != http.StatusNoContent {
		fmt.Fprintf(&b, "Content-Type: %s\r\nContent-Length: %d\r\n", contentType, len(body))
	}
	b.WriteString("Connection: close\r\n\r\n")
	if v.request.Method != http.MethodHead {
		b.WriteString(body)
	}
	_, _ = io.WriteString(v.client, b.String()) // a client that has gone does not matter
}

// sufferAnswer lets the engine carry the call out and acts on the answer.
func (v *visit) sufferAnswer(r Rule) {
	engine, told, ok := v.dial()
	if !ok {
		return
	}
	defer v.p.disown(engine)
	defer told()
	answered := make(chan struct{})
	stop := v.sendUp(engine, answered)
	defer stop()
	in := bufio.NewReader(engine)
	head, err := readHead(in)
	told()
	close(answered)
	if err != nil || !v.p.mayFlow() {
		return
	}
	switch r.Action {
	case DelayAnswer, HangAnswer:
		early := v.gone
		if isUpgrade(v.request) {
			early = nil // the end of the container's input, maybe
		}
		if v.hold(r.Duration, early) {
			v.copyDown(io.MultiReader(bytes.NewReader(head), in))
		}
	case CutAnswer:
	case CutBody:
		v.cutBody(head, in)
	case API:
		v.copyDown(io.MultiReader(bytes.NewReader(withVersion(head, r.Text)), in))
	case Object:
		v.answer(bodyStatus(head), someJSON, "{}\n")
	case Empty:
		v.answer(http.StatusOK, someJSON, "")
	case NoContent:
		v.answer(http.StatusNoContent, "", "")
	case Twice:
		v.again()
		v.copyDown(io.MultiReader(bytes.NewReader(head), in))
	case Truncated:
		v.rewrite(head, in, func(body []byte) []byte { return body[:len(body)/2] })
	case Status:
		v.rewrite(head, in, func(body []byte) []byte { return withStatus(body, r.Status) })
	case Clock:
		v.rewrite(head, in, func(body []byte) []byte { return withShift(body, r.Duration) })
	}
}

// readHead reads the status line and the headers of an answer, with the empty line.
func readHead(in *bufio.Reader) ([]byte, error) {
	var head []byte
	for {
		line, err := in.ReadSlice('\n')
		head = append(head, line...)
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			return head, nil
		}
	}
}

// parse makes an answer out of its head and what follows.
func (v *visit) parse(head []byte, rest io.Reader) (*http.Response, error) {
	return http.ReadResponse(bufio.NewReader(io.MultiReader(bytes.NewReader(head), rest)), v.request)
}

func hasBody(r *http.Response) bool {
	return r.Request.Method != http.MethodHead && r.ContentLength != 0 && r.StatusCode >= http.StatusOK && r.StatusCode != http.StatusNoContent && r.StatusCode != http.StatusNotModified
}

// cutBody hands half of the answer's first piece over. A stream's first piece is what comes first.
func (v *visit) cutBody(head []byte, in *bufio.Reader) {
	resp, err := v.parse(head, bytes.NewReader(nil))
	if err != nil {
		return
	}
	resp.Body.Close()
	if !hasBody(resp) && resp.StatusCode != http.StatusSwitchingProtocols {
		_, _ = v.client.Write(head[:len(head)/2])
		return
	}
	if _, err := v.client.Write(head); err != nil {
		return
	}
	if _, err := in.Peek(2); err != nil {
		return
	}
	if piece, _ := in.Peek(in.Buffered()); v.p.mayFlow() {
		_, _ = v.client.Write(piece[:len(piece)/2])
	}
}

// rewrite hands the answer over with another body. Its head goes out at once: a wait says there that it has begun.
func (v *visit) rewrite(head []byte, in *bufio.Reader, change func([]byte) []byte) {
	resp, err := v.parse(head, in)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if !hasBody(resp) || resp.StatusCode >= http.StatusMultipleChoices {
		v.copyDown(io.MultiReader(bytes.NewReader(head), in))
		return
	}
	// The new body ends with the connection, whatever its length.
	head = setHeader(setHeader(setHeader(head, "Content-Length", ""), "Transfer-Encoding", ""), "Connection", "close")
	if _, err := v.client.Write(head); err != nil {
		return
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil || !v.p.mayFlow() {
		return
	}
	_, _ = v.client.Write(change(body))
}

// again delivers the request a second time. It waits for the answer to that, but not for the end of a stream.
func (v *visit) again() {
	engine, told, ok := v.dial()
	if !ok {
		return
	}
	defer v.p.disown(engine)
	defer told()
	if _, err := engine.Write(v.head()); err == nil {
		_, _ = readHead(bufio.NewReader(engine))
	}
}

// bodyStatus is the status of the answer, or 200 if that allows no body.
func bodyStatus(head []byte) int {
	var status int
	if _, err := fmt.Sscanf(string(head), "HTTP/1.1 %d", &status); err != nil || status < 200 || status == http.StatusNoContent || status >= 300 {
		return http.StatusOK
	}
	return status
}

// withVersion changes the header with the API's version; "" removes it.
func withVersion(head []byte, version string) []byte { return setHeader(head, "Api-Version", version) }

// setHeader puts a value in the place of those of that name; "" for none.
func setHeader(head []byte, name, value string) []byte {
	var b bytes.Buffer
	for line := range bytes.Lines(head) {
		key, _, _ := bytes.Cut(line, []byte(":"))
		if strings.EqualFold(string(key), name) {
			continue
		}
		if len(bytes.TrimSpace(line)) == 0 && value != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
		b.Write(line)
	}
	return b.Bytes()
}

// withStatus changes the exit status in the answer to wait or inspect; an answer without one stays.
func withStatus(body []byte, status int) []byte {
	number := json.RawMessage(fmt.Sprint(status))
	if changed, ok := change(body, func(o map[string]json.RawMessage) bool {
		_, ok := o["StatusCode"]
		o["StatusCode"] = number
		return ok
	}); ok {
		return changed
	}
	return withState(body, func(state map[string]json.RawMessage) bool {
		ended := string(state["Status"]) == `"exited"` || string(state["Status"]) == `"dead"`
		state["ExitCode"] = number
		return ended
	})
}

// withShift changes the time at which a container has finished; the zero time stays.
func withShift(body []byte, shift time.Duration) []byte {
	return withState(body, func(state map[string]json.RawMessage) bool {
		var at time.Time
		if json.Unmarshal(state["FinishedAt"], &at) != nil || at.IsZero() {
			return false
		}
		shifted, err := json.Marshal(at.Add(shift))
		state["FinishedAt"] = shifted
		return err == nil
	})
}

// withState changes the State of a container.
func withState(body []byte, f func(map[string]json.RawMessage) bool) []byte {
	changed, ok := change(body, func(o map[string]json.RawMessage) bool {
		state, ok := change(o["State"], f)
		o["State"] = state
		return ok
	})
	if !ok {
		return body
	}
	return changed
}

// change applies f to a JSON object; false if it is none, or if f says that there is nothing to change.
func change(text []byte, f func(map[string]json.RawMessage) bool) ([]byte, bool) {
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil || object == nil || !f(object) {
		return nil, false
	}
	changed, err := json.Marshal(object)
	return changed, err == nil
}
