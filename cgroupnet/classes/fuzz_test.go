package classes

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// FuzzParse: no text makes Parse or what it returns panic or take long; every problem has a line, but for a file that is too large;
// both ways to read a file agree; and in a file that is accepted no two apps, of the past or not, share a class, each class is one
// that a task can have, Lookup finds its owner, and the line of NextFree is free.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		twoTeams, withPast, plainBlock, with("default", "    default_team: data\n"), with("untagged", ""), appsText("a: 10:100\nb: 1048833"), appsText("\"a\": '10:100'\n'/b': \"1048833\""),
		"version: 2\n---\n", "version: &a 1\nclass_ids: *a\n<<: *a\n? [x]\n: y\n", "\ufeffversion: 1\r\nclusters:\r\n  c: {teams: {t: {major: !!int 0x10}}}\r\n",
		"version: |\n  apps:\n    a: 0x00100100\n", teamText("retired: a\n  apps:\n    a: 0x00100100"), clusterText("teams: {t: {major: \"10:\",\n  apps:\n    a: 0x00100100\n  }}"),
	} {
		f.Add([]byte(text))
	}
	example, err := os.ReadFile("../../docs/classes/two-clusters.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		r, err := Parse("c.yaml", data)
		if took := time.Since(start); took > 30*time.Second {
			t.Fatalf("took %v", took)
		}
		compareWays(t, "fuzz", data)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || r != nil {
				t.Fatalf("%v, %+v", err, r)
			}
			for _, p := range e.Problems {
				if p.Line < 1 && len(data) <= maxFileSize || strings.ContainsAny(p.Key+p.Text, "\n\x00\x1b") || len(p.Text) > 3000 {
					t.Errorf("problem %+v", p)
				}
			}
			return
		}
		r.Notes()
		holds(t, r)
		listed(t, r)
		for _, id := range someIdentities(r) {
			c, err := r.For(id)
			if denied := (*DeniedError)(nil); err != nil && (!errors.As(err, &denied) || r.Unknown() == Untagged || r.Mode() == Off) {
				t.Errorf("%+v: %v", id, err)
			}
			if c.ID != 0 && (c.ID.Special() != "" || r.Lookup(c.ID).Team != c.Team || c.Cluster != r.Cluster()) || (c.ID == 0) != (err != nil || c.Outcome == NoClass) {
				t.Errorf("%+v: %+v", id, c)
			}
			if c.Outcome == NoClass && r.Mode() == Required {
				t.Errorf("%+v is untagged, and class IDs are required", id)
			}
		}
	})
}

// holds checks what is true of every registry.
func holds(t *testing.T, r *Registry) {
	t.Helper()
	owners := map[ID]string{}
	for _, team := range r.Teams() {
		for i, app := range append(team.Apps, team.Retired...) {
			if owners[app.ID] != "" || app.ID.Special() != "" || app.ID.Major() != team.Major || app.ID.Minor() < leastMinor {
				t.Errorf("%+v of %s, %s", app, team.Name, owners[app.ID])
			}
			owners[app.ID] = app.Name
			want := map[bool]OwnerKind{true: OwnerApp, false: OwnerRetired}[i < len(team.Apps)]
			if o := r.Lookup(app.ID); o.Kind != want || o.App != app.Name || o.Team != team.Name || o.Cluster != team.Cluster {
				t.Errorf("%+v: %+v", app, o)
			}
		}
		if o := r.Lookup(team.Default); o.Kind != OwnerDefault || o.Team != team.Name {
			t.Errorf("%+v", o)
		}
		line, err := r.NextFree(team.Cluster+"/"+team.Name, "/no/such.app.yet")
		if err == nil && (owners[line.ID] != "" || r.Lookup(line.ID).Kind != OwnerTeam || r.Lookup(line.ID).Team != team.Name) {
			t.Errorf("%+v", line)
		}
	}
}

// listed checks that the list of classes is what Lookup says of each.
func listed(t *testing.T, r *Registry) {
	t.Helper()
	all := r.Classes()
	for i, o := range all {
		if i < 1000 && o != r.Lookup(o.ID) || o.Name() == "" || i > 0 && o.Line < all[i-1].Line {
			t.Errorf("%+v, %+v", o, r.Lookup(o.ID))
		}
	}
}

// someIdentities returns one for nobody, and for each entry one that it could match.
func someIdentities(r *Registry) []Identity {
	ids := []Identity{{}, {Principal: "p", Role: "r", AppID: "/a/b", Trusted: true}}
	if r.own == nil {
		return ids
	}
	concrete := func(patterns []string) string {
		if len(patterns) == 0 {
			return "x"
		}
		return strings.ReplaceAll(strings.ReplaceAll(patterns[0], "**", "a"), "*", "a")
	}
	for _, i := range r.own.identities[:min(50, len(r.own.identities))] {
		id := Identity{Principal: concrete(i.match.Principals), Role: concrete(i.match.Roles), AppID: concrete(i.match.AppIDs), Trusted: true}
		ids = append(ids, id)
		for _, app := range i.team.apps[:min(3, len(i.team.apps))] {
			id.AppID = app.Name
			ids = append(ids, id)
		}
	}
	return ids
}

// FuzzParseID: what is read is one of the three spellings, in full, and written in each of them it is the same.
func FuzzParseID(f *testing.F) {
	for _, s := range []string{"0x00100001", "1048577", "10:1", "00100001", "0o17", "1_0", "-1", "1e6", "4294967296", "0x100000000", "10:", ":", "ffff:ffff", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			if id != 0 || strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("%q: %v, %v", s, id, err)
			}
			return
		}
		low, tc := strings.ToLower(s), strings.Contains(s, ":")
		if low != s && !tc && !strings.HasPrefix(s, "0x") || strings.Trim(low, "0123456789abcdefx:") != "" || len(s) > len("0x00100001") {
			t.Errorf("%q is %v", s, id)
		}
		if again, err := ParseID(id.TC()); err != nil || again != id {
			t.Errorf("%q: %v, %v", s, again, err)
		}
	})
}
