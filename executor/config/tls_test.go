package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/executor/config"
)

// ssl makes an environment of libprocess' TLS variables.
func ssl(pairs ...string) []string {
	var env []string
	for _, pair := range pairs {
		env = append(env, "LIBPROCESS_SSL_"+pair)
	}
	return env
}

func TestTLSFromEnviron(t *testing.T) {
	base := config.TLS{ReverseName: true, Depth: 4, V12: true}
	with := func(change func(*config.TLS)) *config.TLS {
		t := base
		change(&t)
		return &t
	}
	verified := with(func(t *config.TLS) { t.Verify = true })
	for name, c := range map[string]struct {
		env  []string
		want *config.TLS
	}{
		"nothing":                        {nil, nil},
		"off":                            {ssl("ENABLED=false", "CA_FILE=nonsense"), nil},
		"off by number":                  {ssl("ENABLED=0"), nil},
		"on":                             {ssl("ENABLED=true"), &base},
		"on by number":                   {ssl("ENABLED=1"), &base},
		"verified":                       {ssl("ENABLED=1", "VERIFY_SERVER_CERT=1"), verified},
		"verified, old name":             {ssl("ENABLED=1", "VERIFY_CERT=true"), verified},
		"verified, implied":              {ssl("ENABLED=1", "REQUIRE_CLIENT_CERT=true"), verified},
		"verified, implied by old":       {ssl("ENABLED=1", "REQUIRE_CERT=1", "VERIFY_SERVER_CERT=0"), verified},
		"scheme given":                   {ssl("ENABLED=1", "HOSTNAME_VALIDATION_SCHEME=legacy"), &base},
		"scheme openssl, not verified":   {ssl("ENABLED=1", "HOSTNAME_VALIDATION_SCHEME=openssl"), with(func(t *config.TLS) { t.ReverseName = false })},
		"the name of libprocess's depth": {ssl("ENABLED=1", "VERIFICATION_DEPTH=0", "VERIFY_DEPTH=7"), with(func(t *config.TLS) { t.Depth = 0 })},
		"the documented name of it":      {ssl("ENABLED=1", "VERIFY_DEPTH=7"), with(func(t *config.TLS) { t.Depth = 7 })},
		"both versions":                  {ssl("ENABLED=1", "ENABLE_TLS_V1_3=1"), with(func(t *config.TLS) { t.V13 = true })},
		"only 1.3":                       {ssl("ENABLED=1", "ENABLE_TLS_V1_3=1", "ENABLE_TLS_V1_2=0"), with(func(t *config.TLS) { t.V12, t.V13 = false, true })},
		"outdated":                       {ssl("ENABLED=1", "ENABLE_TLS_V1_1=1"), with(func(t *config.TLS) { t.Outdated = true })},
		"downgrade":                      {ssl("ENABLED=1", "SUPPORT_DOWNGRADE=true"), with(func(t *config.TLS) { t.Downgrade = true })},
		"curves":                         {ssl("ENABLED=1", "ECDH_CURVE=a", "ECDH_CURVES=b"), with(func(t *config.TLS) { t.Curves = "b" })},
		"ciphers":                        {ssl("ENABLED=1", "CIPHERS=AES128-SHA"), with(func(t *config.TLS) { t.Ciphers = "AES128-SHA" })},
		"files": {ssl("ENABLED=1", "CA_FILE=/a", "CA_DIR=/b", "CERT_FILE=/c", "KEY_FILE=/d", "VERIFY_IPADD=1"), with(func(t *config.TLS) {
			t.CAFile, t.CADir, t.CertFile, t.KeyFile, t.VerifyAddress = "/a", "/b", "/c", "/d", true
		})},
	} {
		got, err := config.TLSFromEnviron(c.env)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestBadTLSVariablesAreNamedWithValueAndRemedy(t *testing.T) {
	for _, c := range []struct {
		env  []string
		name string
		want []string // in the error
	}{
		{ssl("ENABLED="), "ENABLED", []string{`""`, "true, 1, false and 0"}},
		{ssl("ENABLED=yes"), "ENABLED", []string{`"yes"`}},
		{ssl("ENABLED=1", "VERIFY_CERT=TRUE"), "VERIFY_CERT", []string{`"TRUE"`}},
		{ssl("ENABLED=1", "CA_FILE=ca.pem"), "CA_FILE", []string{`"ca.pem"`, "absolute path is needed"}},
		{ssl("ENABLED=1", "CA_DIR=/a\nb"), "CA_DIR", []string{"control character"}},
		{ssl("ENABLED=1", "KEY_FILE=/key"), "CERT_FILE", []string{"KEY_FILE; set both"}},
		{ssl("ENABLED=1", "CERT_FILE=/cert"), "CERT_FILE", []string{"KEY_FILE; set both"}},
		{ssl("ENABLED=1", "HOSTNAME_VALIDATION_SCHEME=strict"), "HOSTNAME_VALIDATION_SCHEME", []string{`"strict"`, "legacy nor openssl"}},
		{ssl("ENABLED=1", "VERIFY_CERT=1", "HOSTNAME_VALIDATION_SCHEME=openssl"), "HOSTNAME_VALIDATION_SCHEME", []string{"set LIBPROCESS_SSL_VERIFY_IPADD=true"}},
		{ssl("ENABLED=1", "VERIFICATION_DEPTH=101"), "VERIFICATION_DEPTH", []string{`"101"`, "0 to 100"}},
		{ssl("ENABLED=1", "VERIFY_DEPTH=-1"), "VERIFY_DEPTH", []string{`"-1"`}},
		{ssl("ENABLED=1", "ENABLE_TLS_V1_2=0", "ENABLE_TLS_V1_1=1"), "ENABLE_TLS_V1_2", []string{"leave 1.2 on"}},
	} {
		_, err := config.TLSFromEnviron(c.env)
		if err == nil {
			t.Errorf("%q: accepted", c.env)
			continue
		}
		if got := problems(t, err); !slices.Equal(got, []string{"LIBPROCESS_SSL_" + c.name}) {
			t.Errorf("%q: problems with %q", c.env, got)
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %q is not in: %v", c.env, want, err)
			}
		}
	}
}

func TestEveryTLSVariableOfTheEnvironmentSurvivesCleaning(t *testing.T) {
	env := ssl("ENABLED=1", "SUPPORT_DOWNGRADE=1", "CERT_FILE=/c", "KEY_FILE=/k", "VERIFY_CERT=0", "VERIFY_SERVER_CERT=0", "REQUIRE_CERT=0",
		"REQUIRE_CLIENT_CERT=1", "VERIFICATION_DEPTH=1", "VERIFY_DEPTH=2", "VERIFY_IPADD=1", "HOSTNAME_VALIDATION_SCHEME=openssl", "CA_DIR=/d",
		"CA_FILE=/a", "CIPHERS=x", "ECDH_CURVE=y", "ECDH_CURVES=z", "ENABLE_SSL_V3=1", "ENABLE_TLS_V1_0=1", "ENABLE_TLS_V1_1=1", "ENABLE_TLS_V1_2=1", "ENABLE_TLS_V1_3=1")
	before, err := config.TLSFromEnviron(env)
	if err != nil {
		t.Fatal(err)
	}
	clean, _ := config.CleanEnviron(env, false)
	after, err := config.TLSFromEnviron(clean)
	if diff := cmp.Diff(before, after); err != nil || len(clean) != len(env)+1 || diff != "" {
		t.Errorf("%v (-before +after):\n%s", err, diff)
	}
}

func TestTLSOfConfigFileReplacesTheEnvironment(t *testing.T) {
	if _, ok := config.Default().AgentTLS(); ok {
		t.Error("without agent.tls the environment has to count")
	}
	for text, want := range map[string]*config.TLS{
		"mode: off":                 nil,
		"mode: on":                  {Pinned: true, Verify: true, VerifyAddress: true, Depth: 4, V12: true},
		"mode: 'on'":                {Pinned: true, Verify: true, VerifyAddress: true, Depth: 4, V12: true},
		"{mode: on, verify: false}": {Pinned: true, VerifyAddress: true, Depth: 4, V12: true},
		"{mode: on, ca_file: /a, ca_dir: /b, cert_file: /c, key_file: /d, server_name: agent.example, version: 1.3}": {
			Pinned: true, Verify: true, Depth: 4, V12: true, V13: true,
			CAFile: "/a", CADir: "/b", CertFile: "/c", KeyFile: "/d", ServerName: "agent.example",
		},
	} {
		file, err := config.Parse("c.yaml", []byte("version: 1\nagent:\n  tls:\n    "+strings.Trim(strings.ReplaceAll(text, ", ", "\n    "), "{}")+"\n"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, ok := file.AgentTLS()
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestTLSKeysThatContradictEachOther(t *testing.T) {
	for text, want := range map[string]string{
		"{ca_file: /a}":                                             "c.yaml: agent.tls.mode: is environment, with which the other keys",
		"{mode: off, server_name: a}":                               "c.yaml:2: agent.tls.mode: is off",
		"{mode: on, cert_file: /a}":                                 "c.yaml:2: agent.tls.cert_file: and agent.tls.key_file go together",
		"{mode: on, key_file: /a}":                                  "c.yaml: agent.tls.cert_file: and agent.tls.key_file go together",
		"{mode: on, verify: false, ca_dir: /a}":                     "c.yaml:2: agent.tls.verify: is false",
		"{mode: yes}":                                               `agent.tls.mode: "yes" is not possible; allowed`,
		"{mode: on, version: 1.1}":                                  `agent.tls.version: "1.1" is not possible; allowed`,
		"{mode: on, ca_file: ca.pem}":                               "agent.tls.ca_file: \"ca.pem\" is not an absolute path",
		"{mode: on, server_name: 'https://a'}":                      "neither a host name nor an IP address",
		"{mode: on}, domain_socket: /a":                             "c.yaml:2: agent.domain_socket: is used without TLS",
		"{mode: off}, domain_socket: /a, endpoint: '10.0.0.5:5051'": "c.yaml:2: agent.domain_socket: would be used instead of agent.endpoint",
	} {
		_, err := config.Parse("c.yaml", []byte("version: 1\nagent: {tls: "+text+"}\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestPinnedDomainSocket(t *testing.T) {
	for value, ok := range map[string]bool{
		"/run/mesos/agent.sock": true, "''": true, strings.Repeat("/longer/than/an/address", 8) + "/agent.sock": true,
		"agent.sock": false, "/": false, "/run/../agent.sock": false,
	} {
		file, err := config.Parse("c.yaml", []byte("version: 1\nagent: {domain_socket: "+value+"}\n"))
		if (err == nil) != ok || ok && file.Agent.DomainSocket != strings.Trim(value, "'") {
			t.Errorf("%s: %q, %v", value, file.Agent.DomainSocket, err)
		}
	}
}
