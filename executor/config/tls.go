package config

import (
	"errors"
	"fmt"
	"strconv"
)

// TLS is how the connection to the agent is to be encrypted. It comes from
// config.yaml ([File.AgentTLS]) or from libprocess' variables
// ([TLSFromEnviron]); fields and order are those of the options of the client,
// so that one converts to the other. A nil *TLS is plain HTTP.
type TLS struct {
	// Pinned says that all of this is the operator's, from config.yaml.
	Pinned bool

	CAFile, CADir     string // trusted authorities, absolute paths; both empty: the host's own
	CertFile, KeyFile string // our own certificate and key, absolute paths, both or neither

	// Verify has the agent's certificate verified: its chain, its dates, and that
	// it is for the agent in one of the ways below.
	Verify bool
	// ServerName is the one name that the certificate has to be valid for. The
	// ways below do not count then.
	ServerName string
	// VerifyAddress accepts a certificate with the agent's IP address.
	VerifyAddress bool
	// ReverseName accepts a certificate with the name that a reverse lookup of
	// the agent's address gives.
	ReverseName bool
	// Depth is the most intermediate authorities in a chain, >= 0.
	Depth int

	V12, V13 bool   // the versions of the protocol to offer, at least one
	Ciphers  string // in OpenSSL's notation, empty for the default
	Curves   string // names separated by colons, empty for the default

	Downgrade bool // LIBPROCESS_SSL_SUPPORT_DOWNGRADE was set, to no effect
	Outdated  bool // a version before 1.2 was enabled, to no effect
}

// defaultDepth is libprocess' (Flags in 3rdparty/libprocess/src/openssl.cpp).
const defaultDepth = 4

// TLSFromEnviron reads libprocess' TLS variables as an executor of Mesos does:
// names and defaults are those of Flags and reinitialize in
// 3rdparty/libprocess/src/openssl.cpp. Without LIBPROCESS_SSL_ENABLED the
// others are not looked at.
//
//   - Verification is off unless LIBPROCESS_SSL_VERIFY_SERVER_CERT, its old name
//     ..._VERIFY_CERT, ..._REQUIRE_CLIENT_CERT or its old name ..._REQUIRE_CERT
//     says so.
//   - ..._HOSTNAME_VALIDATION_SCHEME=openssl needs ..._VERIFY_IPADD, because
//     executors know their agent by its address only; the default, legacy,
//     accepts the name of a reverse lookup, and with ..._VERIFY_IPADD the
//     address too.
//   - TLS 1.2 is on and 1.3 off by default: agents lose executors on 1.3
//     (MESOS-9730). Older ones are not spoken.
//   - A client certificate is optional, unlike in libprocess, which wants one
//     of every process because every process of it is a server as well.
//
// Anybody who may write the task's environment may have set these variables in
// drop-in mode. The error is an [*Error] with every problem.
func TLSFromEnviron(env []string) (*TLS, error) {
	r := environReader{values: map[string]string{}, problems: &Error{Source: "environment"}}
	r.collect(env)
	var t *TLS
	if r.flag("ENABLED", false) {
		t = new(TLS)
		r.readTLS(t)
	}
	if err := r.problems.orNil(); err != nil {
		return nil, err
	}
	return t, nil
}

const sslPrefix = "LIBPROCESS_SSL_"

func (r environReader) readTLS(t *TLS) {
	t.CAFile, t.CADir = r.tlsFile("CA_FILE"), r.tlsFile("CA_DIR")
	t.CertFile, t.KeyFile = r.tlsFile("CERT_FILE"), r.tlsFile("KEY_FILE")
	if len(r.values[sslPrefix+"CERT_FILE"]) == 0 != (len(r.values[sslPrefix+"KEY_FILE"]) == 0) {
		r.problems.add(sslPrefix+"CERT_FILE", "goes together with %sKEY_FILE; set both for a client certificate, or neither", sslPrefix)
	}
	for _, name := range []string{"VERIFY_SERVER_CERT", "VERIFY_CERT", "REQUIRE_CLIENT_CERT", "REQUIRE_CERT"} {
		t.Verify = r.flag(name, false) || t.Verify
	}
	t.VerifyAddress = r.flag("VERIFY_IPADD", false)
	switch scheme := r.values[sslPrefix+"HOSTNAME_VALIDATION_SCHEME"]; {
	case scheme == "" || scheme == "legacy":
		t.ReverseName = true
	case scheme != "openssl":
		r.problems.add(sslPrefix+"HOSTNAME_VALIDATION_SCHEME", "%s is neither legacy nor openssl", quote(scheme))
	case t.Verify && !t.VerifyAddress:
		r.problems.add(sslPrefix+"HOSTNAME_VALIDATION_SCHEME", "is openssl, which can check nothing but the agent's address: an executor is not told its name; set %sVERIFY_IPADD=true as well", sslPrefix)
	}
	t.Depth = r.depth()
	t.V12, t.V13 = r.flag("ENABLE_TLS_V1_2", true), r.flag("ENABLE_TLS_V1_3", false)
	for _, name := range []string{"ENABLE_SSL_V3", "ENABLE_TLS_V1_0", "ENABLE_TLS_V1_1"} {
		t.Outdated = r.flag(name, false) || t.Outdated
	}
	if !t.V12 && !t.V13 {
		r.problems.add(sslPrefix+"ENABLE_TLS_V1_2", "is off, and %sENABLE_TLS_V1_3 too; TLS 1.2 and 1.3 are all that is spoken, leave 1.2 on", sslPrefix)
	}
	t.Ciphers, t.Curves = r.values[sslPrefix+"CIPHERS"], r.curves()
	t.Downgrade = r.flag("SUPPORT_DOWNGRADE", false)
}

// flag reads a boolean as libprocess does (parse<bool> in
// 3rdparty/stout/include/stout/flags/parse.hpp).
func (r environReader) flag(name string, missing bool) bool {
	switch value, ok := r.values[sslPrefix+name]; {
	case !ok:
		return missing
	case value == "1" || value == "true":
		return true
	case value != "0" && value != "false":
		r.problems.add(sslPrefix+name, "%s is none of true, 1, false and 0", quote(value))
	}
	return false
}

func (r environReader) tlsFile(name string) string {
	value := r.values[sslPrefix+name]
	if value == "" {
		return ""
	}
	if err := checkAbsolute(value); err != nil {
		r.problems.add(sslPrefix+name, "%v; the executor's working folder is the task's sandbox, so an absolute path is needed", err)
		return ""
	}
	return value
}

// depth reads the variable that libprocess reads, and the one of docs/ssl.md.
func (r environReader) depth() int {
	for _, name := range []string{sslPrefix + "VERIFICATION_DEPTH", sslPrefix + "VERIFY_DEPTH"} {
		value, ok := r.values[name]
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(value, 10, 8)
		if err != nil || n > maxDepth {
			r.problems.add(name, "%s is not a number from 0 to %d", quote(value), maxDepth)
		}
		return int(n)
	}
	return defaultDepth
}

// maxDepth is OpenSSL's own default.
const maxDepth = 100

// curves reads the variable that libprocess reads, and the one of docs/ssl.md.
func (r environReader) curves() string {
	for _, name := range []string{sslPrefix + "ECDH_CURVES", sslPrefix + "ECDH_CURVE"} {
		if value := r.values[name]; value != "" {
			return value
		}
	}
	return ""
}

// AgentTLS is what config.yaml says about TLS, if it says anything: with
// agent.tls.mode "environment" ok is false, and [TLSFromEnviron] counts.
func (f File) AgentTLS() (t *TLS, ok bool) {
	k := f.Agent.TLS
	switch k.Mode {
	case tlsFromEnvironment:
		return nil, false
	case tlsOff:
		return nil, true
	}
	return &TLS{
		Pinned:        true,
		CAFile:        k.CAFile,
		CADir:         k.CADir,
		CertFile:      k.CertFile,
		KeyFile:       k.KeyFile,
		Verify:        k.Verify,
		ServerName:    k.ServerName,
		VerifyAddress: k.ServerName == "",
		Depth:         defaultDepth,
		V12:           true,
		V13:           k.Version == tls13,
	}, true
}

// The values of agent.tls.mode and agent.tls.version.
const (
	tlsFromEnvironment = "environment"
	tlsOn              = "on"
	tlsOff             = "off"

	tls12 = "1.2"
	tls13 = "1.3"
)

// check finds what no single key shows. An agent serves its Unix socket beside
// its port, and without TLS: one of the two is meant.
func (k AgentKeys) check() (key string, err error) {
	switch {
	case k.DomainSocket != "" && k.TLS.Mode == tlsOn:
		return "agent.domain_socket", fmt.Errorf("is used without TLS, while agent.tls.mode is %s; remove one of the two", tlsOn)
	case k.DomainSocket != "" && k.Endpoint != "":
		return "agent.domain_socket", errors.New("would be used instead of agent.endpoint; remove one of the two")
	}
	return k.TLS.check()
}

func (k TLSKeys) check() (key string, err error) {
	unset := TLSKeys{Mode: k.Mode, Verify: true, Version: tls12}
	switch {
	case k.Mode != tlsOn && k != unset:
		return "agent.tls.mode", fmt.Errorf("is %s, with which the other keys of agent.tls have no effect; set it to %s, or remove them", k.Mode, tlsOn)
	case (k.CertFile == "") != (k.KeyFile == ""):
		return "agent.tls.cert_file", errors.New("and agent.tls.key_file go together; set both for a client certificate, or neither")
	case !k.Verify && (k.ServerName != "" || k.CAFile != "" || k.CADir != ""):
		return "agent.tls.verify", errors.New("is false, with which ca_file, ca_dir and server_name have no effect; set it to true, or remove them")
	}
	return "", nil
}
