package cleanup

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
)

// Action is what becomes of an image.
type Action uint8

// The actions.
const (
	Keep   Action = iota // not to be removed
	Later                // to be removed by a later cycle if the goal is still not reached
	Spare                // to be removed if the ones before it free less than their size
	Remove               // to be removed
)

func (a Action) String() string {
	switch a {
	case Keep:
		return "keep"
	case Later:
		return "later"
	case Spare:
		return "spare"
	case Remove:
		return "remove"
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// Row is one image and what becomes of it.
type Row struct {
	Image  Image
	Action Action
	Why    string
}

// Plan is what becomes of all images of a host.
type Plan struct {
	Goal Goal
	Rows []Row // in the order of removal, those to be kept at the end
}

// Plan picks the images that were not used for longest. Of the goal, only the bytes count for how many are enough,
// as if no layers were shared; with inodes it is as many as a cycle may take. Without a goal everything is kept.
func (r Rules) Plan(now time.Time, g Goal, images []Image) Plan {
	rows := make([]Row, 0, len(images))
	for _, i := range images {
		why := r.keep(now, i)
		if g.None() && why == "" {
			why = "there is room"
		}
		action := Keep
		if why == "" {
			action, why = Later, "not used for "+age(now, i.last())
		}
		rows = append(rows, Row{Image: i, Action: action, Why: why})
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(
			cmp.Compare(b.Action, a.Action), a.Image.last().Compare(b.Image.last()),
			cmp.Compare(b.Image.Size, a.Image.Size), cmp.Compare(a.Image.ID, b.Image.ID),
		)
	})
	var freed uint64
	for n := range rows {
		if n == r.Cycle || rows[n].Action == Keep {
			break
		}
		rows[n].Action = Remove
		if g.Inodes == 0 && freed >= g.Bytes {
			rows[n].Action = Spare
		}
		freed += rows[n].Image.Size
	}
	return Plan{Goal: g, Rows: rows}
}

// keep says why an image has to stay, "" if it may go.
func (r Rules) keep(now time.Time, i Image) string {
	last := i.last()
	pattern := i.kept(r.Keep)
	switch {
	case pattern != "":
		return "the keep list has " + pattern
	case i.Containers < 0:
		return "nobody knows whether it has containers"
	case i.Containers > 0:
		return fmt.Sprintf("containers: %d", i.Containers)
	case i.Children:
		return "other images are built on it"
	case i.Used.IsZero():
		return fmt.Sprintf("seen for the first time; may go in %s", r.MinAge)
	case last.After(now):
		return "its last use is yet to come: the clock was set"
	case now.Sub(last) < r.MinAge:
		return fmt.Sprintf("used %s ago, less than %s", age(now, last), r.MinAge)
	}
	return ""
}

func age(now, then time.Time) string {
	return strings.ToLower(units.HumanDuration(now.Sub(then)))
}

// Table writes the plan for people. The errors are those of w.
func (p Plan) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ACTION\tIMAGE\tID\tSIZE\tWHY")
	for _, row := range p.Rows {
		i := row.Image
		id := strings.TrimPrefix(i.ID, "sha256:")
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", row.Action, i.Title(), id[:min(12, len(id))], units.BytesSize(float64(i.Size)), row.Why)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if p.Goal.None() {
		_, err := fmt.Fprintln(w, "Nothing has to be removed.")
		return err
	}
	_, err := fmt.Fprintf(w, "Wanted: %s and %d inodes more. %s.\n", units.BytesSize(float64(p.Goal.Bytes)), p.Goal.Inodes, p.Goal.Why)
	return err
}
