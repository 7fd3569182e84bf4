package task

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-units"

	"mesos-docker-executor/security"
)

// malformed refuses a value that cannot be read; remedy is what to write: "write NAME=VALUE".
func (r *dockerRun) malformed(p parameter, remedy string) {
	if p.secret {
		r.invalid(p.origin(), "", "The value cannot be read; %s.", remedy)
		return
	}
	r.invalid(p.origin(), p.value, "The value %s cannot be read; %s.", quote(p.value), remedy)
}

// fewOptions refuses a value of more options than anybody writes.
func (r *dockerRun) fewOptions(p parameter) bool {
	if count := strings.Count(p.value, ",") + 1; count > maxOptions {
		r.invalid(p.origin(), "", "The value has %d parts between commas, and at most %d are supported; remove some.", count, maxOptions)
		return false
	}
	return true
}

// contradicts refuses a parameter because something else has set its field, to the value before; "" for one that is not to
// be shown.
func (r *dockerRun) contradicts(p parameter, field, before string) {
	other := r.spec.Origins.Of(field)
	if other == "" {
		other = "what the executor sets"
	}
	r.contradictsOrigin(p, other, before)
}

// contradictsOrigin names what was said and where. It shows no values that may be secrets.
func (r *dockerRun) contradictsOrigin(p parameter, other, before string) {
	said := "The parameter"
	switch {
	case p.secret:
		before = ""
	case before != "":
		said = "`" + security.Printable(p.value) + "`"
	}
	if before != "" {
		before = " (" + security.Printable(before) + ")"
	}
	r.invalid(p.origin(), "", "%s contradicts %s%s; keep one of them.", said, other, before)
}

// shown writes a field of the Spec for a message, close to how a parameter has it.
func shown(field string, value any) string {
	switch v := value.(type) {
	case int64:
		switch field {
		case "Host.ShmSize", "Host.MemorySwap", "Host.KernelMemory":
			return security.Bytes(v)
		}
	case container.RestartPolicy:
		return string(v.Name)
	}
	return fmt.Sprint(value)
}

// settle sets a field of the Spec, unless something else has set it to another value. Setting what is set already changes
// nothing, its origin included.
func settle[T comparable](r *dockerRun, p parameter, field string, at *T, value T) {
	var unset T
	switch *at {
	case value:
	case unset:
		*at = value
		r.origin(field, p.origin())
	default:
		r.contradicts(p, field, shown(field, *at))
	}
}

// settlePointer is settle for a field in which nil stands for unset, and each value of its type for something.
func settlePointer[T comparable](r *dockerRun, p parameter, field string, at **T, value T) {
	switch {
	case *at == nil:
		*at = &value
		r.origin(field, p.origin())
	case **at != value:
		r.contradicts(p, field, shown(field, **at))
	}
}

// settleKey is settle for one key of a map.
func settleKey(r *dockerRun, p parameter, field string, at *map[string]string, key, value string) {
	element := field + "[" + key + "]"
	if before, there := (*at)[key]; there {
		if before != value {
			r.contradicts(p, element, before)
		}
		return
	}
	if *at == nil {
		*at = map[string]string{}
	}
	(*at)[key] = value
	r.element(p, field, key)
}

// addElement appends to a list of the Spec.
func addElement[T any](r *dockerRun, p parameter, field string, at *[]T, name string, value T) {
	*at = append(*at, value)
	r.element(p, field, name)
}

// element notes where an element came from; the first one stands for the whole, for who judges that.
func (r *dockerRun) element(p parameter, field, name string) {
	r.origin(field+"["+name+"]", p.origin())
	if r.spec.Origins[field] == "" {
		r.origin(field, p.origin())
	}
}

// setText makes the translation of a flag whose value goes into a field as it is. problem says what to write for a value that
// is none, "" if it is one; it may be nil.
func setText[T ~string](field string, at func(*security.Spec) *T, problem func(value string) string) func(*dockerRun, parameter) {
	return func(r *dockerRun, p parameter) {
		if !r.plain(p) {
			return
		}
		if problem != nil {
			if remedy := problem(p.value); remedy != "" {
				r.malformed(p, remedy)
				return
			}
		}
		settle(r, p, field, at(&r.spec), T(p.value))
	}
}

// addText makes the translation of a flag that adds each of its values to a list as it is.
func addText(field string, at func(*security.Spec) *[]string, problem func(value string) string) func(*dockerRun, parameter) {
	return func(r *dockerRun, p parameter) {
		if !r.filled(p) {
			return
		}
		if problem != nil {
			if remedy := problem(p.value); remedy != "" {
				r.malformed(p, remedy)
				return
			}
		}
		addElement(r, p, field, at(&r.spec), p.value, p.value)
	}
}

// addPair makes the translation of a flag that adds name=value to a map.
func addPair(field string, at func(*security.Spec) *map[string]string) func(*dockerRun, parameter) {
	return func(r *dockerRun, p parameter) {
		name, value, ok := strings.Cut(p.value, "=")
		if !r.plain(p) {
			return
		}
		if !ok || name == "" {
			r.malformed(p, "write name=value")
			return
		}
		settleKey(r, p, field, at(&r.spec), name, value)
	}
}

// setNumber makes the translation of a flag with a whole number. As in docker run, it may be hexadecimal (0x10) or octal.
func setNumber[T int | int64](field string, at func(*security.Spec) *T, low, high int64, remedy string) func(*dockerRun, parameter) {
	return func(r *dockerRun, p parameter) {
		if n, ok := r.whole(p, low, high, remedy); ok {
			settle(r, p, field, at(&r.spec), T(n))
		}
	}
}

func (r *dockerRun) whole(p parameter, low, high int64, remedy string) (int64, bool) {
	n, err := strconv.ParseInt(p.value, 0, 64)
	if err != nil || n < low || n > high {
		r.malformed(p, remedy)
		return 0, false
	}
	return n, true
}

const byteRemedy = "write a number of bytes with an optional unit, for example 64m"

// setBytes makes the translation of a flag with a size, in the units of docker run: b, k, m, g and t are powers of 1024.
func setBytes(field string, at func(*security.Spec) *int64) func(*dockerRun, parameter) {
	return func(r *dockerRun, p parameter) {
		if n, ok := r.size(p, p.value, byteRemedy); ok {
			settle(r, p, field, at(&r.spec), n)
		}
	}
}

func (r *dockerRun) size(p parameter, value, remedy string) (int64, bool) {
	n, ok := sizeOf(value)
	if !ok {
		r.malformed(p, remedy)
	}
	return n, ok
}

// sizeOf reads a number of bytes, up to 1 EiB: go-units does not notice what does not fit in an int64.
func sizeOf(value string) (int64, bool) {
	n, err := units.RAMInBytes(value)
	return n, err == nil && 0 <= n && n <= 1<<60
}

func (r *dockerRun) duration(p parameter) (time.Duration, bool) {
	d, err := time.ParseDuration(p.value)
	if err != nil || d < 0 {
		r.malformed(p, "write a duration of 0 or more with a unit, for example 10s")
		return 0, false
	}
	return d, true
}

// boolean takes what docker run takes. An empty value is an error there too.
func (r *dockerRun) boolean(p parameter) (value, ok bool) {
	value, err := strconv.ParseBool(p.value)
	if err != nil {
		r.invalid(p.origin(), p.value, "%s is neither true nor false; write one of the two.", quote(p.value))
		return false, false
	}
	return value, true
}

// plain refuses a value that cannot be shown in one line; none of those that ask for it can have a use for one.
func (r *dockerRun) plain(p parameter) bool {
	if strings.ContainsFunc(p.value, unicode.IsControl) {
		r.malformed(p, "remove the control characters")
		return false
	}
	return true
}

// filled is plain for a value that cannot be empty.
func (r *dockerRun) filled(p parameter) bool {
	if p.value == "" {
		r.malformed(p, "write a value, or remove the parameter")
		return false
	}
	return r.plain(p)
}
