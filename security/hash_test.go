package security

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestEveryRuleIsInTheHash changes every field of Rules in turn, and expects another hash and an unchanged policy.
func TestEveryRuleIsInTheHash(t *testing.T) {
	rules := BuiltInRules()
	policy := New("built-in", rules)
	before := policy.Hash()
	if before != BuiltIn().Hash() {
		t.Errorf("%s, and the built-in policy %s", before, BuiltIn().Hash())
	}
	changed := 0
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		if v.Kind() == reflect.Struct {
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
			return
		}
		old := clone(rules)
		switch v.Kind() {
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.Int, reflect.Int64:
			v.SetInt(v.Int() + 1)
		case reflect.String:
			v.SetString(v.String() + "x")
		default:
			fill(v)
		}
		changed++
		if New("built-in", rules).Hash() == before {
			t.Errorf("Rules%s has no part in the hash", path)
		}
		if policy.Hash() != before {
			t.Fatalf("changing Rules%s changed a policy that was made of them before", path)
		}
		rules = old
	}
	walk("", reflect.ValueOf(&rules).Elem())
	if changed < 39 {
		t.Errorf("only %d fields", changed)
	}
	rules.Ulimits["nofile"], rules.Capabilities.Base[0] = 1, "CAP_SYS_ADMIN"
	if policy.Hash() != before {
		t.Error("a policy shares memory with the rules that it was made of")
	}
}

func TestRulesOfEveryListElementAreInTheHash(t *testing.T) {
	base := Rules{Mounts: MountRules{HostPaths: []HostPath{{}}, Volumes: []VolumeRule{{}}}, Devices: []DeviceRule{{}}, LogDrivers: []LogDriver{{}}}
	text, err := json.Marshal(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{`"path":""`, `"writable":false`, `"driver":""`, `"permissions":""`, `"name":""`} {
		if !strings.Contains(string(text), key) {
			t.Errorf("no %s in %s", key, text)
		}
	}
}

func TestEmptyAndMissingListsAreTheSameRules(t *testing.T) {
	a, b := BuiltInRules(), BuiltInRules()
	a.Devices, b.Devices = nil, []DeviceRule{}
	if New("x", a).Hash() != New("x", b).Hash() {
		t.Error("an empty list has another hash than none")
	}
}
