package agenttls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// handshakeLimit bounds a handshake with its reverse lookup, lookupLimit the
// lookup alone.
const (
	handshakeLimit = 10 * time.Second
	lookupLimit    = 2 * time.Second
)

// Options say how to encrypt. Fields and order are those of the settings in
// package config, so that one converts to the other.
type Options struct {
	// Pinned says that the paths are the operator's. Errors then name keys of
	// config.yaml and what is wrong with a file, otherwise variables of
	// libprocess and not more than that the file cannot be used.
	Pinned bool

	CAFile, CADir     string // PEM; both empty: the host's own authorities
	CertFile, KeyFile string // PEM, both or neither

	Verify        bool
	ServerName    string // the one name that counts, if set
	VerifyAddress bool   // the certificate may have the agent's address
	ReverseName   bool   // or the name of a reverse lookup of it
	Depth         int    // most intermediate authorities, >= 0

	V12, V13 bool   // versions to offer, at least one
	Ciphers  string // OpenSSL's notation; empty: see [defaultCiphers]
	Curves   string // names separated by colons; empty or "auto": Go's

	Downgrade bool // a downgrade was asked for; noted, not done
	Outdated  bool // a version before 1.2 was asked for; noted, not done
}

// Client encrypts connections to one agent.
type Client struct {
	rule   rule
	base   *tls.Config // cloned for each connection
	lookup func(ctx context.Context, address string) (names []string, err error)
	notes  []string
}

// New reads the files. workDir is the agent's, resolved: no file in it is
// accepted. The error names each setting, its value and a remedy.
func New(o Options, workDir string) (*Client, error) {
	c := &Client{
		rule: rule{
			verify: o.Verify, serverName: o.ServerName, address: o.VerifyAddress, reverseName: o.ReverseName, depth: o.Depth,
		},
		base: &tls.Config{
			// The rule verifies instead, in VerifyConnection: an agent is known by its address, and what counts for a
			// name is libprocess' choice, not Go's.
			InsecureSkipVerify:     true,
			MinVersion:             tls.VersionTLS12,
			MaxVersion:             tls.VersionTLS12,
			SessionTicketsDisabled: true,
		},
		lookup: (&net.Resolver{PreferGo: true}).LookupAddr,
	}
	if o.V13 {
		c.base.MaxVersion = tls.VersionTLS13
	}
	if !o.V12 {
		c.base.MinVersion = tls.VersionTLS13
	}
	files := reader{workDir: workDir, pinned: o.Pinned}
	var err, failed error
	if c.base.CipherSuites, c.notes, err = parseCiphers(o.Ciphers); err != nil {
		failed = errors.Join(failed, files.problem(settingCiphers, o.Ciphers, err))
	}
	if c.base.CurvePreferences, err = parseCurves(o.Curves); err != nil {
		failed = errors.Join(failed, files.problem(settingCurves, o.Curves, err))
	}
	if o.Verify {
		c.rule.roots, err = files.authorities(o.CAFile, o.CADir)
		failed = errors.Join(failed, err)
	}
	if o.CertFile != "" {
		certificate, err := files.certificate(o.CertFile, o.KeyFile)
		failed = errors.Join(failed, err)
		// Whatever authorities the agent names: it gets the certificate that was configured, as from OpenSSL.
		c.base.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
	}
	if failed != nil {
		return nil, failed
	}
	c.note(o)
	return c, nil
}

// note collects what an operator should know although it is no error.
func (c *Client) note(o Options) {
	if !o.Verify {
		c.notes = append(c.notes, "the agent's certificate is not verified: the connection is encrypted to whoever answers")
	}
	if o.Verify && o.ReverseName {
		c.notes = append(c.notes, "the agent's certificate may carry the name of a reverse lookup, which is as trustworthy as the DNS")
	}
	if o.Downgrade {
		c.notes = append(c.notes, "LIBPROCESS_SSL_SUPPORT_DOWNGRADE has no effect: the executor never falls back to plain HTTP")
	}
	if o.Outdated {
		c.notes = append(c.notes, "versions before TLS 1.2 are enabled, but not offered")
	}
}

// Notes returns remarks on the settings, for the log.
func (c *Client) Notes() []string { return c.notes }

// Secure makes the handshake on a new connection, which it closes if that
// fails. Errors say what to look at; one that wraps
// [context.DeadlineExceeded] or a network error may go away by itself.
func (c *Client) Secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	peer, err := c.peer(ctx, conn.RemoteAddr())
	if err != nil {
		conn.Close()
		return nil, err
	}
	settings := c.base.Clone()
	settings.ServerName = c.rule.serverName // for SNI; an address is not sent
	settings.VerifyConnection = func(state tls.ConnectionState) error {
		return c.rule.check(state.PeerCertificates, peer, time.Now())
	}
	secured := tls.Client(conn, settings)
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, explain(err)
	}
	return secured, nil
}

// peer gathers what the certificate is compared with.
func (c *Client) peer(ctx context.Context, remote net.Addr) (peer, error) {
	address, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return peer{}, fmt.Errorf("TLS with the agent: %s is no address of TCP", remote)
	}
	p := peer{address: address.Addr().Unmap()}
	if c.rule.verify && c.rule.reverseName {
		ctx, cancel := context.WithTimeout(ctx, lookupLimit)
		defer cancel()
		// libprocess takes the first name, too. Without one, no name is accepted.
		if names, err := c.lookup(ctx, p.address.String()); err == nil && len(names) > 0 {
			p.name = strings.TrimSuffix(names[0], ".")
		}
	}
	return p, nil
}

// explain turns an error of the handshake into words that name a remedy and
// carry no port of ours, so that the same failure reads the same each time.
func explain(err error) error {
	var refused *RefusedError
	var plain tls.RecordHeaderError
	var network *net.OpError
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &plain):
		return errors.New("TLS with the agent: what answers does not speak TLS; check agent.tls.mode in config.yaml and LIBPROCESS_SSL_ENABLED")
	case errors.As(err, &network) && network.Op == "remote error": // how crypto/tls wraps an alert
		return fmt.Errorf("TLS with the agent: it ended the handshake with %q; check what it demands: the client certificate (cert_file, key_file), the version, the ciphers", network.Err)
	case errors.As(err, &network):
		return fmt.Errorf("TLS with the agent: %s: %w", network.Op, network.Err)
	default:
		return fmt.Errorf("TLS with the agent: %w", err)
	}
}

// RefusedError says why the agent's certificate was not accepted.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string {
	return "TLS with the agent: its certificate is refused: " + e.Why
}

func refuse(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

// subject names a certificate on one line.
func subject(c *x509.Certificate) string {
	var names []string
	if c.Subject.CommonName != "" {
		names = append(names, fmt.Sprintf("CN %q", c.Subject.CommonName))
	}
	for _, name := range c.DNSNames {
		names = append(names, fmt.Sprintf("%q", name))
	}
	for _, address := range c.IPAddresses {
		names = append(names, address.String())
	}
	const shown = 8
	if len(names) > shown {
		names = append(names[:shown], fmt.Sprintf("and %d more", len(names)-shown))
	}
	if names == nil {
		return "nobody"
	}
	return strings.Join(names, ", ")
}
