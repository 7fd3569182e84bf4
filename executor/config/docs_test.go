package config_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"mesos-docker-executor/executor/config"
)

// block returns the first fenced block of a language behind a heading of docs/install.md.
func block(t *testing.T, heading, language string) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(data), "\n"+heading+"\n")
	_, rest, _ := strings.Cut(section, "\n```"+language+"\n")
	text, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatalf("no %s below %s", language, heading)
	}
	return text
}

func TestExamplesOfSecuredAgentsAreRead(t *testing.T) {
	file, err := config.Parse("install.md", []byte(block(t, "## Secured agents", "yaml")))
	if err != nil {
		t.Fatal(err)
	}
	if settings, ok := file.AgentTLS(); !ok || settings == nil || !settings.Verify || settings.KeyFile == "" {
		t.Errorf("config.yaml: %+v", settings)
	}
	var variables map[string]string
	if err := json.Unmarshal([]byte(block(t, "## Secured agents", "json")), &variables); err != nil {
		t.Fatal(err)
	}
	var env []string
	for name, value := range variables {
		env = append(env, name+"="+value)
	}
	clean, _ := config.CleanEnviron(env, false)
	if settings, err := config.TLSFromEnviron(clean); err != nil || settings == nil || !settings.Verify || settings.CAFile == "" {
		t.Errorf("variables: %+v, %v", settings, err)
	}
}
